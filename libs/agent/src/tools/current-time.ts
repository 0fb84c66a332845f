import { InvalidInput } from '@rockpool/contracts';
import { z } from 'zod';
import { defineTool } from '../tool.js';

/** Tells the time in any time zone; without one, in the tenant's. */
export const currentTime = defineTool({
  name: 'current_time',
  description: 'The current date and time. Give an IANA time zone such as Europe/Paris when a place is meant.',
  repeat: 'safe',
  input: z.object({ timeZone: z.string().max(60).optional().describe('IANA time zone, for example Asia/Tokyo') }),
  async run({ timeZone }, { now, timeZone: own }) {
    const zone = timeZone ?? own;
    try {
      const format = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'long', timeZone: zone });
      return `${format.format(now)} (${zone}). In UTC: ${now.toISOString()}`;
    } catch (cause) {
      throw new InvalidInput(`${zone} is not an IANA time zone; try one like Europe/Paris`, { cause });
    }
  },
});
