// The measure of ingress: bare node:http that reads a Telegram webhook, compares the secret in constant time, and answers. It keeps nothing.
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const digest = (text: string) => createHash('sha256').update(text).digest();
const secret = digest(process.argv[2] ?? '');

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const given = request.headers['x-telegram-bot-api-secret-token'];
    const right =
      typeof given === 'string' && timingSafeEqual(digest(given), secret) && JSON.parse(Buffer.concat(chunks).toString()) !== null;
    response.writeHead(right ? 200 : 401).end();
  });
});
server.listen(Number(process.argv[3]), '127.0.0.1');
