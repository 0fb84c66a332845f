import { z } from 'zod';

/**
 * The keys a schema knows at a path, given the value that is there (it picks the branch of a union): for telling a person what they may
 * have meant. Empty where the path leads out of the schema.
 */
export function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[], value: unknown): string[] {
  const here = unwrap(schema, value);
  const [part, ...rest] = path;
  if (part === undefined) return here instanceof z.ZodObject ? Object.keys(here.shape) : [];
  const below = (value as Record<PropertyKey, unknown> | undefined)?.[part];
  if (here instanceof z.ZodObject) {
    const next = (here.shape as Record<PropertyKey, z.core.$ZodType | undefined>)[part];
    return next ? keysAt(next, rest, below) : [];
  }
  if (here instanceof z.ZodRecord) return keysAt(here.valueType, rest, below);
  return [];
}

function unwrap(schema: z.core.$ZodType, value: unknown): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return unwrap(schema.def.innerType, value);
  }
  if (schema instanceof z.ZodDiscriminatedUnion) {
    const { discriminator, options } = schema.def;
    const chosen = (value as Record<string, unknown> | undefined)?.[discriminator];
    const fits = (option: z.core.$ZodType) =>
      option instanceof z.ZodObject && z.safeParse(option.shape[discriminator] as z.core.$ZodType, chosen).success;
    return options.find(fits) ?? schema;
  }
  return schema;
}

/** The known name a mistyped one is nearest to, when it is near enough to have been meant. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  return best && best.distance <= Math.min(3, best.candidate.length / 2) ? best.candidate : undefined;
}

/** Levenshtein: insertions, deletions and replacements of one character. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const replaced = (previous[column - 1] as number) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(replaced, (previous[column] as number) + 1, (current[column - 1] as number) + 1));
    }
    previous = current;
  }
  return previous[to.length] as number;
}
