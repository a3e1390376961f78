import { OncekeyError } from '@oncekey/core'
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import type { Coverage, Coverages } from '../coverage/coverage.ts'
import { type ChosenBy, chosenBy } from '../coverage/route-constraints.ts'
import { beginExchange, exchangeOf } from '../exchange/exchange.ts'
import { capture } from '../hooks/capture.ts'
import { claim } from '../hooks/claim.ts'
import { type BodyStream, keepBody } from '../request/kept-body.ts'
import { runLast } from './run-last.ts'

/**
 * Puts our hooks on a route that is being registered: the body is kept as the last `preParsing` left
 * it (decompressed); the claim is the last `preHandler`, so that whatever lets a request in, or does
 * not, has run before anything is answered from the store; and what is kept of a response is what the
 * last `onSend` left.
 */
export function coverRoute(route: RouteOptions, covered: Coverages): void {
  const coverage = covered.ofRoute(route)
  if (![route.method].flat().some((method) => coverage?.engine.covers(method))) return

  runLast(route, 'preParsing', begin(coverage as Coverage, chosenBy(route)))
  runLast(route, 'preHandler', claim)
  runLast(route, 'onSend', capture)
  const { handler } = route
  // To know, once its client has gone, whether it still runs: Fastify then drops what it returns.
  route.handler = function idempotent(request, reply) {
    const returned = handler.call(this, request, reply)
    const exchange = exchangeOf(request)
    if (exchange !== null) exchange.returned = returned
    return returned
  }
}

/**
 * Fails requests that nobody may think covered: Fastify shows a plugin only the routes that are
 * registered after it was loaded, and without `await` that is later than it looks.
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

function begin(coverage: Coverage, chosen: ChosenBy | undefined) {
  const { headers, key, methods, authenticate } = coverage.engine.options
  const signed = authenticate !== undefined
  // Where something else counts in place of the body, only they ask for its bytes.
  const whole = signed || key !== undefined
  const keeps = coverage.fingerprint === undefined || whole
  return function begin(request: FastifyRequest, _: FastifyReply, body: BodyStream, done: Done) {
    const exchange = beginExchange(request, coverage, chosen)
    // What was signed is looked at whether or not a key came.
    const came = (header: string) => request.raw.headers[header] !== undefined
    const asked = whole || headers.some(came)
    if (keeps && asked && methods.has(request.method)) {
      exchange.body = keepBody(body, { whole })
    }
    done()
  }
}

type Done = (error?: Error) => void
