/** `google.protobuf.Timestamp` and `Duration`, which have the same shape. */
interface ProtoTime {
  readonly seconds: number;
  readonly nanos: number;
}

/** Of milliseconds, since the epoch or of a length. Rounded up to whole milliseconds: never earlier than asked. */
export function protoTime(milliseconds: number): ProtoTime {
  const whole = Math.ceil(milliseconds);
  const seconds = Math.floor(whole / 1000);
  return { seconds, nanos: (whole - seconds * 1000) * 1e6 };
}
