import { describe, expect, it } from '@jest/globals';
import { eventually } from './patience.js';

describe('what a test waits for', () => {
  it('is asked for again until there is an answer', async () => {
    const answers = [undefined, false, Promise.resolve(undefined), 'there'];
    await expect(eventually('something', () => answers.shift() as string | undefined)).resolves.toBe('there');
    expect(answers).toEqual([]);
  });

  it('may be nothing or zero', async () => {
    await expect(eventually('a count', () => 0)).resolves.toBe(0);
    await expect(eventually('nothing', () => null)).resolves.toBeNull();
  });

  it('is named when it does not come about, as it stands in the end', async () => {
    let asked = 0;
    const never = eventually(
      () => `the count is ${asked}`,
      () => ++asked < 0,
      30,
    );
    await expect(never).rejects.toThrow(/^not within 30 ms: the count is \d+$/);
    expect(asked).toBeGreaterThan(1);
  });

  it('is not asked for again when asking fails', async () => {
    let asked = 0;
    const failing = eventually('something', () => {
      asked++;
      throw new Error('nobody there');
    });
    await expect(failing).rejects.toThrow('nobody there');
    expect(asked).toBe(1);
  });
});
