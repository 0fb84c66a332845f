import { createInterface } from 'node:readline';
import type { FaultRule, Faults } from '../wire/faults.js';
import type { SlackScreen } from '../slack/person.js';
import type { PersonChat, Said } from '../telegram/person.js';
import type { TelegramGroup } from '../telegram/simulator.js';
import type { Stage } from './stage.js';

const help = `Type a message and it is sent as a webhook. A line that begins with // goes to the bot with one slash less. Commands:
  /as <id> [name]        be another person
  /group, /private       speak in a group (mention @simulated_bot there), or in private again
  /slack                 speak in Slack, where it was started
  /dup <n>               deliver your last message n more times
  /fault <kind> [times]  drop, drop-before, reset, delay, or a status such as 500, on the next calls of the bot; off ends it
  /commands              this text
  /quit                  end`;

/** Kinds of fault by what one types; `drop` is the meanest: the message is there, its answer never comes. */
const kinds: Readonly<Record<string, FaultRule['kind']>> = {
  drop: 'accept-then-drop',
  'accept-then-drop': 'accept-then-drop',
  'drop-before': 'drop-before',
  reset: 'reset',
  delay: 'delay',
};

interface Repeatable {
  redeliver(times: number): Promise<(number | undefined)[]>;
  readonly accepted: Promise<boolean>;
}

/** Lets one play the person in the terminal. Ends with `/quit` or with the end of the input. */
export class Prompt {
  private person;
  private group: TelegramGroup | undefined;
  private chat: PersonChat | undefined;
  private screen: SlackScreen | undefined;
  private last: Repeatable | undefined;
  private stopListening: () => void = () => undefined;

  constructor(
    private readonly stage: Stage,
    private readonly print: (line: string) => void,
    personId: number,
  ) {
    this.person = stage.telegram.person({ id: personId, name: `Person ${personId}` });
    this.enter();
  }

  async run(input: NodeJS.ReadableStream): Promise<void> {
    this.print(help);
    for await (const line of createInterface({ input })) {
      if (line.trim() === '/quit') break;
      if (line.trim()) await this.take(line.trim());
    }
    this.stopListening();
  }

  private async take(line: string): Promise<void> {
    const [command, ...words] = line.split(/\s+/);
    switch (command) {
      case '/as':
        return this.be(words);
      case '/group':
        this.group ??= this.stage.telegram.group({ title: 'Simulated group', bots: [this.stage.bot] });
        return this.enter(this.group);
      case '/private':
        return this.enter();
      case '/slack':
        return this.enterSlack();
      case '/dup':
        return this.repeat(Number(words[0] ?? 10));
      case '/fault':
        return this.fault(words);
      case '/commands':
        return this.print(help);
      default:
        this.say(line.startsWith('//') ? line.slice(1) : line);
    }
  }

  private be([id, ...name]: string[]): void {
    if (!/^[1-9]\d*$/.test(id ?? '')) return this.print('! /as needs a number: /as 67890 Bob');
    this.person = this.stage.telegram.person({ id: Number(id), name: name.join(' ') || `Person ${id}` });
    this.enter(this.screen || this.chat?.id === this.group?.id ? this.group : undefined);
  }

  private enter(group?: TelegramGroup): void {
    this.stopListening();
    this.screen = undefined;
    const chat = group ? group.as(this.person) : this.person.chat(this.stage.bot);
    this.chat = chat;
    this.print(`— ${this.person.user.first_name} (${this.person.user.id}) in ${group ? 'the group' : 'private'}`);
    this.stopListening = chat.listen(({ kind, message }) => {
      if (message?.from !== 'bot') return;
      if (kind === 'sent') this.print(`bot: ${message.text}`);
      if (kind === 'edited') this.print(`bot (edited): ${message.text}`);
      if (kind === 'deleted') this.print(`bot (deleted): ${message.text}`);
    });
  }

  private enterSlack(): void {
    const { slack } = this.stage;
    if (!slack) return this.print('! Slack is not simulated: start with --slack-port');
    this.stopListening();
    const { id, first_name: name } = this.person.user;
    const screen = slack.simulator.person({ id: `U${id}`, name, team: slack.team }).direct(slack.app);
    this.screen = screen;
    this.print(`— ${name} (U${id}) in Slack`);
    this.stopListening = screen.listen(({ kind, message }) => {
      if (message?.bot_id === undefined) return;
      const shown = screen.visible().find(({ ts }) => ts === message.ts)?.text ?? '';
      this.print(kind === 'changed' ? `bot (edited): ${shown}` : `bot: ${shown}`);
    });
  }

  private say(text: string): void {
    if (this.screen) {
      const said = this.screen.say(text);
      this.last = said;
      void said.accepted.then((accepted) => !accepted && this.print('! Slack gave the event up'));
      return;
    }
    const said = this.chat?.say(text);
    if (!said) return;
    this.last = said;
    if (said.deliveries.length === 0) this.print('! the bot does not see this: in a group, mention @simulated_bot or use a command');
    this.watch(said);
  }

  /** Says so when the first attempt failed; what follows it goes on in the background. */
  private watch(said: Said): void {
    const timer = setTimeout(() => {
      const attempt = said.deliveries[0]?.attempts.at(-1);
      if (attempt && said.deliveries[0]?.state === 'pending') {
        this.print(`! the webhook was not accepted (${attempt.status ?? attempt.failure}); trying again as Telegram does`);
      }
    }, 1_000);
    void said.accepted.then(() => clearTimeout(timer));
  }

  private async repeat(times: number): Promise<void> {
    if (!this.last || !(times > 0)) return this.print('! say something first, then /dup 10');
    const statuses = await this.last.redeliver(times);
    this.print(`— delivered ${times} more times: ${statuses.map((status) => status ?? 'no answer').join(' ')}`);
  }

  private fault([kind = '', times = '1']: string[]): void {
    const faults: Faults = this.screen && this.stage.slack ? this.stage.slack.simulator.faults : this.stage.telegram.faults;
    const count = Number(times);
    if (kind === 'off') {
      faults.clear();
      return this.print('— no more faults');
    }
    const status = /^[45]\d\d$/.test(kind) ? Number(kind) : undefined;
    const known = status === undefined ? kinds[kind] : 'status';
    if (!known || !(count > 0)) return this.print('! /fault drop | drop-before | reset | delay | 500 | off, and how often');
    faults.add({ kind: known, status, times: count, delayMs: 3_000, match: /message|edit|chat\./i });
    this.print(`— the next ${count === 1 ? 'message or edit' : `${count} messages and edits`} of the bot: ${kind}`);
  }
}
