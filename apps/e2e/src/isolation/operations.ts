import type { Random } from '@rockpool/testkit';

/** Somewhere a tenant's people write, by its number: private chats, then a group, then conversations over Standard Webhooks. */
type PlaceNumber = number;
export const places = { chats: 2, groups: 1, webhooks: 2 };
const placeCount = places.chats + places.groups + places.webhooks;
const telegramPlaceCount = places.chats + places.groups;

/** What the people of a tenant do. Texts begin with a word by which the simulated model knows what to do. */
export type Operation =
  /** Messages one after another, without waiting for answers. */
  | { readonly kind: 'say'; readonly place: PlaceNumber; readonly texts: readonly string[] }
  | { readonly kind: 'command'; readonly place: PlaceNumber; readonly text: string }
  /** A message whose answer never ends, stopped once it is seen to grow. */
  | { readonly kind: 'stop'; readonly place: PlaceNumber; readonly text: string }
  /** Messages that come while an answer is held back, under this overlap policy. */
  | {
      readonly kind: 'meanwhile';
      readonly place: PlaceNumber;
      readonly policy: string;
      readonly held: string;
      readonly texts: readonly string[];
    }
  | { readonly kind: 'edit'; readonly place: PlaceNumber; readonly text: string }
  /** The channel delivers the latest message of the place again. */
  | { readonly kind: 'again'; readonly place: PlaceNumber; readonly times: number }
  | { readonly kind: 'remember' | 'recall'; readonly place: PlaceNumber; readonly text: string; readonly words: string };

/** Operations of one tenant; the same chance makes the same ones. The owner's name is in every text, so that what strays can be told. */
export function randomOperations(random: Random, count: number, owner: string): Operation[] {
  let made = 0;
  const text = (word: string) => `${word} ${++made} of ${owner}`;
  const texts = (least: number) => Array.from({ length: random.integer(least, 3) }, () => text('message'));
  const anywhere = () => random.integer(0, placeCount - 1);
  const kinds: readonly (() => Operation)[] = [
    () => ({ kind: 'say', place: anywhere(), texts: texts(1) }),
    () => ({ kind: 'say', place: anywhere(), texts: texts(2) }),
    () => ({ kind: 'command', place: anywhere(), text: random.pick(['/new', '/status', '/help', '/stop', '/queue', '/queue followup']) }),
    () => ({ kind: 'stop', place: random.integer(0, telegramPlaceCount - 1), text: text('forever') }),
    () => meanwhile(anywhere()),
    () => ({ kind: 'edit', place: random.integer(0, telegramPlaceCount - 1), text: text('edited') }),
    () => ({ kind: 'again', place: anywhere(), times: random.integer(1, 4) }),
    () => ({ kind: 'remember', place: anywhere(), text: text('remember'), words: `note ${made}: ${owner} likes ${random.hex(8)}` }),
    () => ({ kind: 'recall', place: anywhere(), text: text('recall'), words: random.pick(['', 'note', 'likes']) }),
  ];
  function meanwhile(place: PlaceNumber): Operation {
    const policy = random.pick(['followup', 'collect', 'interrupt']);
    // One that interrupts: whether a second one finds the first one's run or its own place in the queue is a matter of moments.
    return { kind: 'meanwhile', place, policy, held: text('hold'), texts: policy === 'interrupt' ? [text('message')] : texts(2) };
  }
  // Each kind once, then whatever comes.
  return Array.from({ length: count }, (_, index) => (kinds[index] ?? random.pick(kinds))());
}
