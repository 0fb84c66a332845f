import { connect } from 'node:net';

/** Whether somebody listens at `host:port`. */
export function answers(host: string): Promise<boolean> {
  const [hostname, port] = host.split(':') as [string, string];
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => resolve(true) ?? socket.end());
    socket.once('error', () => resolve(false));
  });
}
