import { readFile } from 'node:fs/promises';

/** Resident memory of a process in MiB. Linux only. */
export async function residentMiB(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(status) ?? [];
  if (kib === undefined) throw new Error(`process ${pid} has no resident memory`);
  return Math.round(Number(kib) / 1024);
}
