import { isJson } from '../wire/json.js';

/** `google.protobuf.Timestamp` or `Duration`, as a fake answers it. */
interface ProtoTime {
  readonly seconds: string;
  readonly nanos: number;
}

/** Of milliseconds, since the epoch or as a length. */
export function timestampOf(milliseconds: number): ProtoTime {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds: String(seconds), nanos: Math.round((milliseconds - seconds * 1000) * 1e6) };
}

/** In milliseconds; undefined when it was not sent. */
export function millisecondsOf(time: unknown): number | undefined {
  return isJson(time) ? Number(time['seconds']) * 1000 + Number(time['nanos']) / 1e6 : undefined;
}
