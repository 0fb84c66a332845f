import { stripVTControlCharacters } from 'node:util';
import { jest } from '@jest/globals';
import { endOf } from '../exit-codes.js';
import { createProgram } from '../program.js';

/** Runs a command as a person gives it, and resolves with what it printed and how it ended. The environment is read when this module is. */
export async function rockpool(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const spies = [
    jest.spyOn(process.stdout, 'write').mockImplementation((chunk) => (out.push(String(chunk)), true)),
    jest.spyOn(process.stderr, 'write').mockImplementation((chunk) => (err.push(String(chunk)), true)),
  ];
  let code: number;
  try {
    await createProgram().parseAsync(argv, { from: 'user' });
    code = Number(process.exitCode ?? 0);
  } catch (error) {
    const end = endOf(error);
    code = end.exitCode;
    err.push(end.message ?? '');
  } finally {
    process.exitCode = undefined;
    for (const spy of spies) spy.mockRestore();
  }
  // In a terminal, the workers of the tests are told to use colours.
  return { code, out: stripVTControlCharacters(out.join('')), err: stripVTControlCharacters(err.join('')) };
}
