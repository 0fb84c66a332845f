// The health check of the images: 0 when this container's app is ready for requests, 1 when it is not.
import { get } from 'node:http';

const request = get({ host: '127.0.0.1', port: process.env.PORT ?? 8080, path: '/readyz', timeout: 2_500 }, (response) => {
  process.exit(response.statusCode === 200 ? 0 : 1);
});
request.on('timeout', () => process.exit(1));
request.on('error', () => process.exit(1));
