import { type Engine, type HandlerContext, OncekeyError } from '@oncekey/core'
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { type Coverages, coverages } from '../coverage/coverage.ts'
import type { IdempotencyOptions } from '../coverage/options.ts'
import { EXCHANGE, exchangeOf } from '../exchange/exchange.ts'
import { captureNotFound } from '../hooks/capture.ts'
import { noteSends } from '../reply/sends.ts'
import { coverRoute, requireCoverage } from './cover-route.ts'

/** The plugin as `register` accepts it. */
export interface IdempotencyPlugin extends FastifyPluginAsync<IdempotencyOptions> {
  /** The plugin with its options applied, typed by its store. */
  with<Tx>(options: IdempotencyOptions<Tx>): Once<Tx>
}

/** A plugin with its options, and its functions. */
export interface Once<Tx> extends FastifyPluginAsync {
  /** The context of a covered request, typed by the store. Throws `not-covered` elsewhere. */
  of(request: Pick<FastifyRequest, 'idempotency' | 'method' | 'originalUrl'>): HandlerContext<Tx>
  /**
   * Before a shutdown: refuses new requests with 503 and lets running ones finish. `app.close()`
   * calls it too.
   */
  drain: Engine<Tx>['drain']
}

/**
 * Makes the routes registered after it run once per `Idempotency-Key`, for Fastify 4 and 5. Every
 * hook of a route runs before its claim, so the store never answers a request that was not
 * admitted.
 *
 * @example
 * ```ts
 * const once = idempotency.with({ store: postgresStore({ client: pool }), scope: (request) => request.user.id })
 * await app.register(once)
 *
 * app.post('/orders', async (request, reply) => {
 *   const { transaction, emit } = once.of(request)
 *   const tx = await transaction()
 *   // …
 *   return reply.code(201).send(order)
 * })
 * ```
 *
 * @example Without types for the transaction, `request.idempotency` is the same object.
 * ```ts
 * await app.register(idempotency, { store, scope: (request) => request.user.id })
 * ```
 */
export const idempotency: IdempotencyPlugin = Object.assign(
  asPlugin(async (fastify, options: IdempotencyOptions) => install(fastify, coverages(options))),
  { with: withOptions },
)

function withOptions<Tx>(options: IdempotencyOptions<Tx>): Once<Tx> {
  const covered = coverages(options)

  function of({
    idempotency,
    method,
    originalUrl,
  }: Parameters<Once<Tx>['of']>[0]): HandlerContext<Tx> {
    if (idempotency) return idempotency as HandlerContext<Tx>
    const { methods } = covered.plugin.engine.options
    throw new OncekeyError(
      'not-covered',
      `once.of(request): no attempt runs for ${method} ${originalUrl}. Register the plugin before this route; it covers ${[...methods].join(', ')}.`,
    )
  }

  const plugin = asPlugin(async (fastify) => install(fastify, covered))
  return Object.assign(plugin, { of, drain: covered.drain })
}

function asPlugin<Options extends object>(
  plugin: FastifyPluginAsync<Options>,
): FastifyPluginAsync<Options> {
  return fastifyPlugin(plugin, { fastify: '4.x || 5.x', name: '@oncekey/fastify' })
}

function install(fastify: FastifyInstance, covered: Coverages): void {
  if (fastify.hasRequestDecorator('idempotency')) {
    throw mountedTwice()
  }
  // A getter, so that handlers that do not use the context do not pay for it.
  fastify.decorateRequest('idempotency', { getter: contextOf })
  fastify.decorateRequest(EXCHANGE, null)
  noteSends(fastify)
  fastify.addHook('onRoute', (route) => coverRoute(route, covered))
  fastify.addHook('preHandler', requireCoverage(covered.plugin))
  fastify.addHook('onSend', captureNotFound)
  drainOnClose(fastify, covered)
}

export function contextOf(this: FastifyRequest): HandlerContext | null {
  return exchangeOf(this)?.run?.context ?? null
}

export function mountedTwice(): OncekeyError {
  return new OncekeyError(
    'mounted-twice',
    'The idempotency plugin is registered already, here or on a parent. What one route needs goes into its `config.idempotency`.',
  )
}

/**
 * Stops claiming at the beginning of `close()` and waits at its end. `preClose` hooks must not
 * wait: one that takes longer than `pluginTimeout` fails the whole `close()`. Responses that
 * clients wait for are awaited with their connections anyway.
 */
function drainOnClose(fastify: FastifyInstance, covered: Coverages): void {
  let drained: Promise<number> | undefined
  fastify.addHook('preClose', async () => {
    drained = covered.drain()
  })
  fastify.addHook('onClose', async ({ log }) => {
    const left = await drained
    if (left) log.warn({ left }, 'closed with idempotent requests still under way')
  })
}
