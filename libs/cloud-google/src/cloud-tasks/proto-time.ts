/** `google.protobuf.Timestamp` and `Duration` have the same shape. */
interface ProtoTime {
  readonly seconds: number;
  readonly nanos: number;
}

/** Of milliseconds since the epoch. Rounded up to whole milliseconds: never earlier than asked. */
export function protoTimestamp(milliseconds: number): ProtoTime {
  const whole = Math.ceil(milliseconds);
  const seconds = Math.floor(whole / 1000);
  return { seconds, nanos: (whole - seconds * 1000) * 1e6 };
}

/** Of a length in milliseconds. */
export const protoDuration = protoTimestamp;
