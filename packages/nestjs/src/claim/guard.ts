import {
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  Optional,
} from '@nestjs/common'
import { OncekeyError, OptionsError } from '@oncekey/core'
import { RUNTIME, type Runtime } from './runtime.ts'

/**
 * Claims the key, as the last guard of a route. A client that the other guards do not let in sees
 * no stored answer. On a replay nothing behind the guards runs: no interceptor, pipe, handler or
 * exception filter. On a first run all of these are part of the response that is held back.
 *
 * It is a class, because Nest injects into nothing else.
 */
export class IdempotencyGuard implements CanActivate {
  readonly #runtime: Runtime

  constructor(runtime?: Runtime) {
    if (runtime === undefined) {
      throw new OptionsError(
        '@Idempotent is used, and no IdempotencyModule is there. Add IdempotencyModule.forRoot({ store, scope }) to the imports of the root module (of a test: of Test.createTestingModule).',
      )
    }
    this.#runtime = runtime
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const [type, handler] = [context.getClass(), context.getHandler()]
    if (context.getType() !== 'http') throw notHttp(context)
    const { coverages, claim } = this.#runtime
    const coverage = coverages.of(type, handler as (...given: unknown[]) => unknown)
    const { method } = context.switchToHttp().getRequest<{ method: string }>()
    if (coverage === undefined || !coverage.engine.covers(method)) return true
    if (claim === undefined)
      throw new OptionsError('The application was not initialised: app.init().')
    await claim(context, coverage, this.#partsOf(context))
    return true
  }

  #partsOf(context: ExecutionContext): readonly string[] | undefined {
    const version = this.#runtime.versionOf?.(context.switchToHttp().getRequest())
    return version === undefined ? undefined : [`version=${version}`]
  }
}

// Decorators applied as functions, because the build does not emit the metadata that the decorator
// syntax relies on.
Injectable()(IdempotencyGuard)
Optional()(IdempotencyGuard, undefined, 0)
Inject(RUNTIME)(IdempotencyGuard, undefined, 0)

/** The error of a decorated handler that a message or a query of GraphQL has called. */
export function notHttp(context: ExecutionContext): OncekeyError {
  return new OncekeyError(
    'not-covered',
    `@Idempotent covers HTTP routes, and ${context.getClass().name}.${context.getHandler().name} was called by ${context.getType()}. Use once() of @oncekey/core there.`,
  )
}
