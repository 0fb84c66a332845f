/**
 * Milliseconds since the epoch by a clock that does not step when the machine's is set: for how long something lasts or rests within this process. What is stored, or
 * shown to people, takes the time of `Date`.
 */
export function steadyNow(): number {
  return performance.timeOrigin + performance.now();
}
