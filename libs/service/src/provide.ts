import type { FactoryProvider } from '@nestjs/common';

/** What a dependency of type `T` can be asked by: its (abstract) class, or a symbol where there is no class. */
type TokenOf<T> = (abstract new (...args: never[]) => NonNullable<T>) | symbol;

type TokensOf<Parameters extends readonly unknown[]> = { [Index in keyof Parameters]: TokenOf<Parameters[Index]> };

/**
 * Registers a plain class with Nest. The class carries no decorators; its dependencies are named here, one token a constructor parameter, checked by the compiler:
 * `provide(Conversations, Documents, MessageBus)`.
 */
export function provide<Instance, Parameters extends readonly unknown[]>(
  type: new (...parameters: Parameters) => Instance,
  ...dependencies: TokensOf<Parameters>
): FactoryProvider<Instance> {
  return {
    provide: type,
    useFactory: (...resolved: unknown[]) => new type(...(resolved as unknown as Parameters)),
    inject: [...(dependencies as readonly TokenOf<unknown>[])],
  };
}
