import type { Engine, HandlerRun, PlainResponse } from '@oncekey/core'
import { refuseCutOff } from '@oncekey/node'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Exchange, exchangeOf, leaveBody } from '../exchange/exchange.ts'
import { watchOutcome } from '../exchange/outcome.ts'
import { watchRaw } from '../exchange/raw-response.ts'
import { bodyOf, MADE_OF_THE_BODY, putAnswer } from '../reply/answer.ts'
import { headersOf } from '../reply/reply-headers.ts'
import { trailersOf } from '../reply/reply-trailers.ts'
import { isSent } from '../reply/sends.ts'
import { readRequest } from './read-request.ts'

/**
 * The last `preHandler` hook. It asks the engine, then lets the handler run or answers in its
 * place. If something else was sent meanwhile or before, it answers nothing, and the handler does
 * not run.
 */
export const claim = function idempotency(
  request: FastifyRequest,
  reply: FastifyReply,
  done: (error?: Error) => void,
): void {
  const exchange = exchangeOf(request)
  if (exchange === null || !exchange.coverage.engine.covers(request.method)) {
    done()
    return
  }
  // A hook has refused the request, and an async `onSend` hook still works on what it sent.
  if (isSent(reply)) {
    leaveBody(exchange)
    return
  }
  let begun: ReturnType<Engine<unknown>['begin']>
  try {
    refuseCutOff(request.raw)
    begun = exchange.coverage.engine.begin(readRequest(exchange, request, reply))
  } catch (error) {
    leaveBody(exchange)
    // Its upload was cut off, or the app's own `scope` threw.
    done(error as Error)
    return
  }
  begun.then(
    (begun) => {
      leaveBody(exchange)
      if (isSent(reply)) return begun.kind === 'run' ? giveBack(begun.run) : undefined
      if (begun.kind !== 'run') return answer(exchange, begun.response, reply, done)
      open(exchange, begun.run, request, reply)
      done()
    },
    (error: Error) => {
      leaveBody(exchange)
      if (!isSent(reply)) return done(error)
      // Fastify would answer a second time as long as an async `onSend` hook works on the first.
      reply.log.warn({ err: error }, 'the request was answered before its key was claimed')
    },
  )
}

function answer(
  exchange: Exchange,
  response: PlainResponse,
  reply: FastifyReply,
  done: (error?: Error) => void,
): void {
  exchange.phase = 'answered'
  exchange.answer = response
  exchange.before = Object.fromEntries(
    MADE_OF_THE_BODY.map((name) => [name, reply.getHeader(name)]),
  )
  try {
    putAnswer(reply, response)
    // `undefined` instead of `null`, which Fastify would serialize as JSON.
    reply.send(bodyOf(response) ?? undefined)
  } catch (error) {
    // Fastify has no such status, or a hook had set a serializer that does not accept text.
    done(error as Error)
  }
}

/** A timeout of Fastify responded while the store was asked, so the handler will not run. */
function giveBack(run: HandlerRun): void {
  run.context.release()
  void run.abandon()
}

function open(
  exchange: Exchange,
  run: HandlerRun,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  exchange.phase = 'open'
  exchange.run = run
  exchange.before = headersOf(reply)
  exchange.trailersBefore = trailersOf(reply)
  watchRaw(exchange, reply)
  watchOutcome(exchange, run, request, reply)
}
