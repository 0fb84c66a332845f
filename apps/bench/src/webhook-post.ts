import { Agent, request } from 'node:http';

/** As many connections as a provider opens; a busy Node server takes new ones one by one, which would be all that is measured. */
const agent = new Agent({ keepAlive: true, maxSockets: 64, scheduling: 'fifo' });

/**
 * Posts a webhook over a kept-alive connection, as a provider does, and resolves with the status. Not `fetch`: its own work, in this process, would be a
 * third of what is measured.
 */
export function postWebhook(url: string, headers: Readonly<Record<string, string>>, body: string | Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, { method: 'POST', headers, agent }, (response) => {
      response.on('end', () => resolve(response.statusCode ?? 0)).on('error', reject);
      response.resume();
    })
      .on('error', reject)
      .end(body);
  });
}
