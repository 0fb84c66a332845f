import { eventually } from '@rockpool/testkit';
import type { House, TenantName } from './house.js';
import type { Operation } from './operations.js';
import type { Place } from './places.js';

/** What the model begins to say and never ends. */
const beginning = 'one two three';

const answersIn = (place: Place) => place.seen().filter(({ from, text }) => from === 'bot' && text !== '…').length;

/** A tenant whose people do one thing after another and wait for what comes of each, so that what comes is the same every time. */
export class PatientTenant {
  /** Events that must be in the inbox by now. */
  private events = 0;

  constructor(
    private readonly house: House,
    private readonly name: TenantName,
  ) {}

  /** Resolves when everything that comes of it has come. */
  async perform(operation: Operation): Promise<void> {
    const place = this.house.place(this.name, operation.place);
    switch (operation.kind) {
      case 'say':
        await this.say(place, operation.texts);
        break;
      case 'remember':
      case 'recall':
        await this.say(place, [operation.text]);
        break;
      case 'command':
        await this.command(place, operation.text);
        break;
      case 'stop':
        await this.say(place, [operation.text]);
        await eventually(`${operation.text} is being answered`, () => place.seen().at(-1)?.text === beginning);
        await this.command(place, '/stop');
        break;
      case 'meanwhile':
        await this.command(place, `/queue ${operation.policy}`);
        await this.say(place, [operation.held]);
        await eventually(`${operation.held} is with the model`, () => {
          return place.isAnswering() && this.house.asked(this.name).some(({ lastUserText }) => lastUserText.endsWith(operation.held));
        });
        await this.say(place, operation.texts);
        await eventually('all of it is in the inbox', async () => (await this.house.turns(this.name)).length >= this.events);
        await this.settled();
        // What quick messages become under the others is a matter of moments.
        await this.command(place, '/queue default');
        break;
      case 'edit':
        if (await place.edit(operation.text)) this.events += 1;
        break;
      case 'again':
        await place.again(operation.times);
        break;
    }
    await this.settled();
  }

  /** Resolves when nothing of this tenant is under way. What the model holds back is let go, whoever's it is. */
  async settled(): Promise<void> {
    let underWay: readonly unknown[] = [];
    const isSettled = async () => {
      this.house.letGo();
      const turns = await this.house.turns(this.name);
      const unfinished = this.house
        .screens(this.name)
        .flat()
        .filter(({ text }) => text === '…');
      underWay = [...turns.filter(({ open }) => open), ...unfinished, `${turns.length} of ${this.events} events`];
      return underWay.length === 1 && turns.length >= this.events;
    };
    await eventually(() => `nothing of ${this.name} is under way: ${JSON.stringify(underWay)}`, isSettled);
  }

  private async say(place: Place, texts: readonly string[]): Promise<void> {
    this.events += texts.length;
    await place.say(texts);
  }

  private async command(place: Place, text: string): Promise<void> {
    const before = answersIn(place);
    await this.say(place, [text]);
    await eventually(`${text} is answered`, () => answersIn(place) > before);
  }
}

/** Does the same things and waits for nothing but that the webhooks were accepted. */
export async function hastily(house: House, name: TenantName, operation: Operation): Promise<void> {
  const place = house.place(name, operation.place);
  switch (operation.kind) {
    case 'say':
      return place.say(operation.texts);
    case 'stop':
      return place.say([operation.text, '/stop']);
    case 'meanwhile':
      return place.say([`/queue ${operation.policy}`, operation.held, ...operation.texts]);
    case 'edit':
      await place.edit(operation.text);
      return;
    case 'again':
      return place.again(operation.times);
    default:
      return place.say([operation.text]);
  }
}
