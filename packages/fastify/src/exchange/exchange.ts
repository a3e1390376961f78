import type { Answer, HandlerRun, PlainResponse } from '@oncekey/core'
import type { HeldResponse } from '@oncekey/node'
import type { FastifyRequest } from 'fastify'
import type { Coverage } from '../coverage/coverage.ts'
import type { ChosenBy } from '../coverage/route-constraints.ts'
import type { Collection, Source } from '../reply/collect.ts'
import type { ReplyHeaders } from '../reply/reply-headers.ts'
import type { ReplyTrailers } from '../reply/reply-trailers.ts'
import { forgetBody, type KeptBody } from '../request/kept-body.ts'

/**
 * One request on a covered route, from its body to the end of its response.
 *
 *   unclaimed ──the claim won──▶ open ──the first payload──▶ finishing ──the outcome──▶ over
 *   unclaimed ──a replay or a problem──▶ answered ──sent──▶ over
 *   finishing ──the stream broke: the app's error handler answers──▶ open
 *   open ──the handler writes to the raw response, or gives no answer in time──▶ raw
 *   finishing, of a stream ──the same──▶ raw
 *
 * In `raw`, `@oncekey/node` holds the response back as a `node:http` response, and ends the run.
 */
export interface Exchange {
  readonly coverage: Coverage
  readonly chosenBy: ChosenBy | undefined
  phase: 'unclaimed' | 'answered' | 'open' | 'finishing' | 'raw' | 'over'
  /** Until {@link leaveBody}. */
  body: KeptBody | undefined
  run: HandlerRun | undefined
  /**
   * Headers set before the handler ran. They are not the handler's, so they are neither stored nor
   * removed.
   */
  before: ReplyHeaders
  trailersBefore: ReplyTrailers
  /** The answer that is sent instead of a handler's response. */
  answer: PlainResponse | undefined
  /** Set when the engine gives the handler up; whatever is collected by then is discarded. */
  interruption: Answer | undefined
  /** The stream that was sent, until it is stopped. */
  source: Source | undefined
  /** Set while the stream is read. */
  collection: Collection | undefined
  /** Whether the reply reports that it was sent although nothing has left. */
  countsAsSent: boolean
  /** Set in phase `raw`. */
  held: HeldResponse | undefined
  /** Ends the watch on the stream of an HTTP/2 response. */
  releaseStream: (() => void) | undefined
  /** What the handler returned. */
  returned: unknown
  /** Called when the response is no longer held back. */
  onOver: (() => void) | undefined
}

/** A symbol, so that apps see only `request.idempotency`. */
export const EXCHANGE: unique symbol = Symbol('oncekey.exchange')

/** The exchange of a request; `null` on routes the plugin does not cover. */
export function exchangeOf(request: FastifyRequest): Exchange | null {
  return (request as ExchangedRequest)[EXCHANGE]
}

/** Starts the exchange of a request. */
export function beginExchange(
  request: FastifyRequest,
  coverage: Coverage,
  chosenBy?: ChosenBy,
): Exchange {
  const exchange: Exchange = {
    coverage,
    chosenBy,
    phase: 'unclaimed',
    body: undefined,
    run: undefined,
    before: NO_HEADERS,
    trailersBefore: null,
    answer: undefined,
    interruption: undefined,
    source: undefined,
    collection: undefined,
    countsAsSent: false,
    held: undefined,
    releaseStream: undefined,
    returned: undefined,
    onOver: undefined,
  }
  ;(request as ExchangedRequest)[EXCHANGE] = exchange
  return exchange
}

/**
 * Stops keeping the body of a request. Once the engine has decided, or somebody else has answered,
 * nobody asks for it again, and there may be more to come of it than there is memory.
 */
export function leaveBody(exchange: Exchange): void {
  if (exchange.body !== undefined) forgetBody(exchange.body)
  exchange.body = undefined
}

/** Ends the exchange: what is sent from here on is not held back. */
export function endExchange(exchange: Exchange): void {
  exchange.phase = 'over'
  exchange.onOver?.()
}

interface ExchangedRequest extends FastifyRequest {
  [EXCHANGE]: Exchange | null
}

const NO_HEADERS: ReplyHeaders = {}
