import { type DynamicModule, Inject, Logger, Module, type Provider } from '@nestjs/common'
import { HttpAdapterHost, ModulesContainer } from '@nestjs/core'
import { OptionsError } from '@oncekey/core'
import { claimOnExpress } from '../claim/claim-on-express.ts'
import { claimOnFastify } from '../claim/claim-on-fastify.ts'
import { IdempotencyGuard } from '../claim/guard.ts'
import { claimFor } from '../claim/late-guard.ts'
import { RUNTIME, type Runtime } from '../claim/runtime.ts'
import { coverages } from '../routes/coverage.ts'
import type { IdempotencyOptions } from '../routes/options.ts'
import { requestedVersion } from '../routes/requested-version.ts'
import { drainFirst } from './drain-first.ts'
import { type Modules, prepareRoutes } from './prepare-routes.ts'

/** Options that a factory makes from other providers. */
export interface IdempotencyAsyncOptions<Tx = unknown> extends Pick<DynamicModule, 'imports'> {
  /** The tokens of the factory's arguments. */
  readonly inject?: readonly Token[]
  // biome-ignore lint/suspicious/noExplicitAny: what is injected, which Nest does not type
  readonly useFactory: (...injected: any[]) => Options<Tx> | Promise<Options<Tx>>
}

/**
 * Makes routes with `@Idempotent` run once per `Idempotency-Key`, for Nest 11 and 12 on Express and
 * Fastify. Import it once, in the root module. It is a class, because Nest takes nothing else for a
 * module.
 *
 * When the application closes, the module drains: new requests get 503, and running ones finish
 * before any other module's `onModuleDestroy` is called.
 *
 * @example
 * ```ts
 * @Module({
 *   imports: [
 *     IdempotencyModule.forRootAsync({
 *       inject: [Pool],
 *       useFactory: (pool: Pool) => ({
 *         store: postgresStore({ client: pool }),
 *         scope: (request) => request.user.id,
 *       }),
 *     }),
 *   ],
 * })
 * export class AppModule {}
 * ```
 */
export class IdempotencyModule {
  readonly #runtime: Runtime
  readonly #host: HttpAdapterHost

  /** Takes the options themselves. Throws `OptionsError`. */
  static forRoot<Tx>(options: IdempotencyOptions<Tx>): DynamicModule {
    // Validated here and again when Nest builds the module, so that the error comes from the line
    // with the mistake.
    coverages(options)
    return moduleOf({ provide: OPTIONS, useValue: options })
  }

  /**
   * Takes a factory that makes the options from other providers, such as a pool or a
   * `ConfigService`.
   */
  static forRootAsync<Tx>(options: IdempotencyAsyncOptions<Tx>): DynamicModule {
    if (typeof options?.useFactory !== 'function') {
      throw new OptionsError(
        'IdempotencyModule.forRootAsync needs `useFactory: (…injected) => ({ store, scope })`.',
      )
    }
    const { imports = [], inject = [], useFactory } = options
    return { ...moduleOf({ provide: OPTIONS, inject: [...inject], useFactory }), imports }
  }

  constructor(runtime: Runtime, host: HttpAdapterHost) {
    this.#runtime = runtime
    this.#host = host
  }

  /** Nest calls it once its HTTP adapter is ready, and before it registers routes. */
  async configure(): Promise<void> {
    const { httpAdapter } = this.#host
    const platform = httpAdapter?.getType()
    const { coverages } = this.#runtime
    if (platform === 'express') this.#runtime.claim = claimOnExpress
    else if (platform === 'fastify') {
      this.#runtime.claim = await claimOnFastify(httpAdapter, coverages)
    } else {
      throw new OptionsError(
        `IdempotencyModule runs on @nestjs/platform-express and @nestjs/platform-fastify, not on ${platform}.`,
      )
    }
    this.#runtime.versionOf = requestedVersion(httpAdapter, platform)
    claimFor(httpAdapter.getInstance(), this.#runtime)
  }

  /**
   * Refuses new requests with 503 and lets running ones finish. Returns how many did not finish by
   * the deadline.
   */
  drain(options?: { readonly deadlineMs?: number }): Promise<number> {
    return this.#runtime.coverages.drain(options)
  }

  async onModuleDestroy(): Promise<void> {
    const left = await this.drain()
    if (left > 0) {
      new Logger(IdempotencyModule.name).warn(`closed with ${left} idempotent requests under way`)
    }
  }
}

Module({})(IdempotencyModule)
Inject(RUNTIME)(IdempotencyModule, undefined, 0)
Inject(HttpAdapterHost)(IdempotencyModule, undefined, 1)

function moduleOf(options: Provider): DynamicModule {
  return {
    module: IdempotencyModule,
    global: true,
    providers: [
      options,
      {
        provide: RUNTIME,
        inject: [OPTIONS, ModulesContainer],
        useFactory(options: IdempotencyOptions, modules: Modules): Runtime {
          const made = coverages(options)
          prepareRoutes(modules, made)
          drainFirst(modules, IdempotencyModule)
          return { coverages: made, claim: undefined, versionOf: undefined }
        },
      },
      IdempotencyGuard,
    ],
    exports: [RUNTIME, IdempotencyGuard],
  }
}

type Options<Tx> = IdempotencyOptions<Tx>
type Token = NonNullable<Extract<Provider, { inject?: unknown }>['inject']>[number]

const OPTIONS = Symbol('oncekey.options')
