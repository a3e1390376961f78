import { OncekeyError } from '@oncekey/core'
import { isGone } from '@oncekey/node'
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Coverage, Coverages } from '../coverage/coverage.ts'
import { chosenBy } from '../coverage/route-constraints.ts'
import { beginExchange, exchangeOf } from '../exchange/exchange.ts'
import { sendReturned } from '../exchange/outcome.ts'
import { capture } from '../hooks/capture.ts'
import { claim } from '../hooks/claim.ts'
import { bodyLimitOf } from '../request/body-limit.ts'
import { type BodyStream, keepBody } from '../request/kept-body.ts'
import { runLast } from './run-last.ts'

/**
 * Adds our hooks to a route that is being registered. The body is captured after the last
 * `preParsing` hook (decompressed). The claim is the last `preHandler` hook, so that everything
 * that admits or rejects a request has run before the store answers. The response is stored as the
 * last `onSend` hook leaves it.
 */
export function coverRoute(route: RouteOptions, covered: Coverages): void {
  const coverage = covered.ofRoute(route)
  if (![route.method].flat().some((method) => coverage?.engine.covers(method))) return

  runLast(route, 'preParsing', begin(route, coverage as Coverage))
  runLast(route, 'preHandler', claim)
  runLast(route, 'onSend', capture)
  const { handler } = route
  // Records what the handler returns, because Fastify drops a return of nothing where the client
  // has disconnected. It may have done so before the handler was called.
  route.handler = function idempotent(request, reply) {
    const returned = handler.call(this, request, reply)
    const exchange = exchangeOf(request)
    if (exchange === null) return returned
    exchange.returned = returned
    if (exchange.phase === 'open' && isGone(reply.raw)) void sendReturned(exchange, reply)
    return returned
  }
}

/**
 * Fails requests that look covered but are not. A plugin sees only routes registered after it has
 * loaded, which without `await` is later than it looks.
 */
export function requireCoverage({
  engine,
}: Coverage): (request: FastifyRequest, reply: FastifyReply, done: Done) => void {
  return function requireCoverage(request, _reply, done) {
    const seen = exchangeOf(request) !== null || !engine.covers(request.method)
    if (seen || request.is404 || request.routeOptions.config.idempotency === false) done()
    else done(notCovered(request))
  }
}

function notCovered({ method, routeOptions }: FastifyRequest): OncekeyError {
  return new OncekeyError(
    'not-covered',
    `${method} ${routeOptions.url} was registered before the idempotency plugin was loaded, so it is not covered. Write \`await app.register(idempotency, …)\` before the route, put the route into a plugin registered after it, or say \`config: { idempotency: false }\`.`,
  )
}

function begin(route: RouteOptions, coverage: Coverage) {
  const chosen = chosenBy(route)
  const { engine } = coverage
  const { headers, key, authenticate } = engine.options
  const signed = authenticate !== undefined
  // With a custom fingerprint the bytes are needed only to check a signature or to derive the key.
  const whole = signed || key !== undefined
  const keeps = coverage.fingerprint === undefined || whole
  return function begin(request: FastifyRequest, _: FastifyReply, body: BodyStream, done: Done) {
    const exchange = beginExchange(request, coverage, chosen)
    // A signature is checked whether or not there is a key.
    const came = (header: string) => request.raw.headers[header] !== undefined
    const asked = whole || headers.some(came)
    if (keeps && asked && engine.covers(request.method)) {
      exchange.body = whole ? keepBody(body, () => bodyLimitOf(request, route)) : keepBody(body)
    }
    done()
  }
}

type Done = (error?: Error) => void
