import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Identity } from '@rockpool/cloud';
import type { ConversationId, TenantId } from '@rockpool/contracts';
import { HostClient, hostFailureOf, type DriveRequest } from './host-client.js';

const identity = { mint: async () => 'token' } as unknown as Identity;
const request = { tenantId: 'alice' as TenantId, conversationId: 'c1' as ConversationId, wakeId: 'w1' } satisfies DriveRequest;
const drained = '{"kind":"drained"}';
const answer = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${drained.length}\r\n\r\n${drained}`;

describe('a push to the agent host', () => {
  let server: Server;
  let client: HostClient;
  /** Requests on each connection, in the order in which they were opened. */
  let requests: number[];
  /** What becomes of a request. */
  let onRequest: (socket: Socket, nthOfConnection: number, connection: number) => void;
  const drive = () => client.drive(request, new AbortController().signal);

  beforeEach(async () => {
    requests = [];
    server = createServer((socket) => {
      const connection = requests.push(0) - 1;
      socket.on('error', () => undefined); // the other side may be gone first
      socket.on('data', (data) => {
        if (data.includes('POST ')) onRequest(socket, ++requests[connection]!, connection);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    client = new HostClient(identity, () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'audience');
  });
  afterEach(async () => {
    client.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it('that meets a connection which was closed meanwhile is made again on another, at once', async () => {
    onRequest = (socket, nth) => (nth === 1 ? socket.write(answer) : socket.resetAndDestroy());
    expect(await drive()).toEqual({ kind: 'drained' });
    expect(await drive()).toEqual({ kind: 'drained' });
    expect(requests).toEqual([2, 1]);
  });

  it('that is cut off on a connection of its own has failed', async () => {
    onRequest = (socket, _nth, connection) => (connection === 0 && requests[0] === 1 ? socket.write(answer) : socket.resetAndDestroy());
    await drive();
    const error: unknown = await drive().catch((reason: unknown) => reason);
    expect(hostFailureOf(error, 'alice/c1')).toMatchObject({ kind: 'no-answer', reason: expect.stringContaining('ECONNRESET') });
    expect(requests).toEqual([2, 1]);
  });

  it('whose answer breaks off has failed, and is not made again', async () => {
    onRequest = (socket, nth) => {
      if (nth === 1) socket.write(answer);
      else socket.write(answer.slice(0, -3), () => socket.destroy());
    };
    await drive();
    const error: unknown = await drive().catch((reason: unknown) => reason);
    expect(hostFailureOf(error, 'alice/c1')).toMatchObject({ kind: 'no-answer' });
    expect(requests).toEqual([2]);
  });
});
