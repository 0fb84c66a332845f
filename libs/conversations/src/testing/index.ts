export { OneChannel, RecordingChannel } from './recording-channel.js';
