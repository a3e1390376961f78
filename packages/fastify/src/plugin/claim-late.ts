import type { HandlerRun } from '@oncekey/core'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import type { Coverage } from '../coverage/coverage.ts'
import { beginExchange, EXCHANGE } from '../exchange/exchange.ts'
import { capture, captureNotFound } from '../hooks/capture.ts'
import { claim } from '../hooks/claim.ts'
import { noteSends } from '../reply/sends.ts'
import { bodyLimitOf } from '../request/body-limit.ts'
import { type BodyStream, forgetBody, type KeptBody, keepBody } from '../request/kept-body.ts'
import { contextOf, mountedTwice } from './plugin.ts'
import { runLast } from './run-last.ts'

/**
 * How much of a body is kept until the claim: what is compared of it, or `whole`, up to the limit
 * of its route, if options need its bytes.
 */
export type BodyKeeping = 'none' | 'compared' | 'whole'

/** The plugin, and the claim that the framework makes once it has admitted a request. */
export interface LateIdempotency {
  readonly plugin: (fastify: FastifyInstance) => Promise<void>
  /**
   * Resolves when the handler may go on; its response is held back from then on. Never resolves if
   * a replay or a problem was sent instead, so that nothing else of the request runs. Rejects with
   * errors for the app's error handling; the key is then not claimed. `parts` are facts beside
   * method and URL by which the framework chose this handler, such as a version.
   */
  claim(
    request: FastifyRequest,
    reply: FastifyReply,
    coverage: Coverage,
    parts?: readonly string[],
  ): Promise<LateClaim>
}

/** A claim that was won. */
export interface LateClaim {
  /** Resolves once the response is no longer held back. */
  readonly over: Promise<void>
  readonly run: HandlerRun
}

/**
 * For frameworks on Fastify that admit or reject a request inside the route's handler, as NestJS
 * does with its guards. Hooks keep the body as received and hold the response back, and the
 * framework claims once it has admitted the request. `keeping` is called for each request before
 * its body is read. A route of which the framework knows that it claims nothing there is none of
 * `mayCover`.
 */
export function lateIdempotency(
  keeping: (request: FastifyRequest) => BodyKeeping,
  mayCover: (route: RouteOptions) => boolean = () => true,
): LateIdempotency {
  const bodies = new WeakMap<FastifyRequest, KeptBody>()

  function keepOn(route: RouteOptions) {
    return function keep(request: FastifyRequest, _: FastifyReply, body: BodyStream, done: Done) {
      const how = keeping(request)
      const most = how === 'whole' ? () => bodyLimitOf(request, route) : undefined
      if (how !== 'none') bodies.set(request, keepBody(body, most))
      done()
    }
  }

  function captureOrForget(...[request, ...sent]: Parameters<typeof capture>): void {
    // Whoever answers a request that was not claimed has no use for what was kept of it.
    const body = bodies.get(request)
    if (body !== undefined) forgetBody(body)
    bodies.delete(request)
    capture(request, ...sent)
  }

  function cover(route: RouteOptions): void {
    if (mayCover(route)) runLast(route, 'preParsing', keepOn(route))
    runLast(route, 'onSend', captureOrForget)
  }

  async function install(fastify: FastifyInstance): Promise<void> {
    if (fastify.hasRequestDecorator('idempotency')) throw mountedTwice()
    fastify.decorateRequest('idempotency', { getter: contextOf })
    fastify.decorateRequest(EXCHANGE, null)
    noteSends(fastify)
    fastify.addHook('onRoute', cover)
    fastify.addHook('onSend', captureNotFound)
  }

  function claimNow(...[request, reply, coverage, parts]: Parameters<LateIdempotency['claim']>) {
    const exchange = beginExchange(request, coverage, parts && (() => parts))
    exchange.body = bodies.get(request)
    bodies.delete(request)
    const over = new Promise<void>((resolve) => {
      exchange.onOver = resolve
    })
    return new Promise<LateClaim>((resolve, reject) => {
      claim(request, reply, (error) => {
        if (error === undefined) resolve({ over, run: exchange.run as HandlerRun })
        else reject(error)
      })
    })
  }

  return {
    plugin: fastifyPlugin(install, { fastify: '4.x || 5.x', name: '@oncekey/fastify' }),
    claim: claimNow,
  }
}

type Done = (error?: Error) => void
