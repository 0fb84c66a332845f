import type { MigrationStep } from './migration.js';
import type { Survey } from './survey.js';

/** A line is written so often at most. */
const everyMs = 1_000;

const words: Readonly<Record<MigrationStep, string>> = {
  blobs: 'files',
  secrets: 'secrets',
  history: 'documents: what was said and done',
  tenants: 'documents: tenants and routes',
  work: 'documents: messages, jobs and schedules',
};

/** Says on stderr how far it is; stdout is for the outcome. */
export class Progress {
  #lastAt = 0;
  #lastText = '';

  #survey: Survey | undefined;

  /** What is to come. */
  expect(survey: Survey): void {
    this.#survey = survey;
  }

  copied(step: MigrationStep, through: number): void {
    if (through === 0) return;
    const total = step === 'blobs' ? this.#survey?.blobs.count : step === 'secrets' ? this.#survey?.secrets : undefined;
    this.#say(`copied ${through}${total === undefined ? '' : ` of ${total}`} ${words[step]}`);
  }

  compared(documents: number): void {
    const total = Object.values(this.#survey?.documents ?? {}).reduce((sum, count) => sum + count, 0);
    this.#say(`compared ${documents} of ${total} documents`);
  }

  #say(text: string): void {
    const now = performance.now();
    if (text === this.#lastText || now - this.#lastAt < everyMs) return;
    [this.#lastAt, this.#lastText] = [now, text];
    process.stderr.write(`${text}\n`);
  }
}
