import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Call, Route, ServeSite } from '@oncekey/conformance'
import {
  type Begun,
  checkScopeOption,
  createEngine,
  type EngineRequest,
  type HandlerContext,
  type HandlerRun,
  OncekeyError,
  type PlainResponse,
  resolveScope,
} from '@oncekey/core'
import { codeOf, type Exchange, json, type RenderedReply, rendered, type Steps } from './steps.ts'
import { writtenParts } from './written-parts.ts'

/** Serves sites with these steps, created anew for each. */
export function plainAdapter(stepsOf: () => Steps): ServeSite {
  return async (site) => {
    const steps = stepsOf()
    const scope = steps.scope(site)
    checkScopeOption(scope)
    const engine = createEngine(steps.options(site.options))
    let isClosed = false

    async function exchange(req: IncomingMessage, res: ServerResponse): Promise<void> {
      const outside = site.outside()
      const text = await steps.text(req)
      const key = String(req.headers['idempotency-key'])
      const now: Exchange = { req, res, text, outside, site, key }
      const route = site.routes.find(
        ({ method, path }) => method === req.method && path === req.url?.split('?')[0],
      )
      if (route === undefined) return void res.writeHead(404).end()
      if (!steps.covers(engine, req.method ?? '')) return uncovered(route, now)
      let begun: Begun<unknown>
      try {
        begun = await steps.begin(engine, steps.request(requestOf(now), now), now)
      } catch (error) {
        const problem = json(500, { error: codeOf(error) })
        return void (await send(now, problem, outside))
      }
      if (begun.kind !== 'run') return answer(now, begun.response, begun.kind)
      const { run } = begun
      res.once('close', () => {
        if (!res.writableEnded) steps.onHangUp(run, now)
      })
      await covered(route, run, now)
    }

    function requestOf(now: Exchange): EngineRequest {
      const { req, res, text } = now
      const gone = new AbortController()
      res.once('close', () => gone.abort())
      const { fingerprint } = site
      return {
        method: req.method ?? '',
        target: req.url ?? '',
        native: req,
        scope: resolveScope(
          typeof scope === 'function'
            ? () => scope((name) => req.headers[name] as string | undefined)
            : (scope as 'dangerously-shared'),
          req,
        ),
        header: (name) => req.headersDistinct[name] ?? [],
        fingerprintInput: () => ({
          method: req.method ?? '',
          target: req.url ?? '',
          contentType: req.headers['content-type'],
          body:
            fingerprint !== undefined
              ? { kind: 'chosen', value: fingerprint(JSON.parse(text)) }
              : text === ''
                ? { kind: 'none' }
                : { kind: 'bytes', bytes: Buffer.from(text) },
        }),
        rawBody: () =>
          text === '' ? { kind: 'none' } : { kind: 'bytes', bytes: Buffer.from(text) },
        signal: gone.signal,
      }
    }

    async function covered(route: Route, run: HandlerRun, now: Exchange): Promise<void> {
      const context = steps.context(run.context, now)
      const work = handle(
        route,
        callOf(now, () => context),
        run,
      )
      const first = await Promise.race([work, run.interrupted])
      if (first === 'no answer') return
      if ('kind' in first) return answer(now, first.response, first.kind)
      const reply = steps.reply(first, now)
      const collected = await Promise.race([
        collect(reply, steps.piece, steps.maxBytes(run), () => isClosed),
        run.interrupted,
      ])
      if ('kind' in collected) return answer(now, collected.response, collected.kind)
      const { status, headers, removed } = reply
      const changes = [...headers, ...removed.map((name) => [name, null] as const)]
      steps.beforeCompletion(reply, now)
      const kept = (body: Uint8Array) => steps.kept({ status, headers: changes, body }, now)
      const { bytes, rest } = collected
      const asked =
        rest === undefined ? run.complete(kept(bytes)) : steps.tooLarge(run, kept(bytes))
      const verdict = steps.verdict(await asked, now)
      if (verdict.kind === 'failure') {
        const failed = json(500, { error: codeOf(verdict.error) })
        await rest?.return?.(undefined)
        return void (await send(now, failed, outsideOf(now, 'first', failed)))
      }
      if (verdict.kind !== 'send') {
        await rest?.return?.(undefined)
        return answer(now, verdict.response, verdict.kind)
      }
      await send(now, { ...reply, body: bytes }, outsideOf(now, 'first', reply), rest)
    }

    async function uncovered(route: Route, now: Exchange): Promise<void> {
      const call = callOf(now, () => {
        throw new OncekeyError('not-covered', 'not here')
      })
      const reply = await handle(route, call, undefined)
      if (reply !== 'no answer') await send(now, reply, outsideOf(now, 'first', reply))
    }

    async function handle(
      route: Route,
      call: Call,
      run: HandlerRun | undefined,
    ): Promise<RenderedReply | 'no answer'> {
      try {
        const { response, begun } = writtenParts(steps.wake)
        const asked = route.handler(Object.defineProperty(call, 'response', { value: response }))
        const reply = rendered(await Promise.race([asked, begun]))
        if (!steps.isFinal(reply.status)) throw new RangeError(`${reply.status} is no answer`)
        return reply
      } catch (error) {
        return steps.onThrow(run, error)
      }
    }

    function callOf({ text }: Exchange, context: () => HandlerContext): Call {
      return {
        get context() {
          return context()
        },
        body: text === '' ? undefined : steps.body(JSON.parse(text)),
      }
    }

    function answer(
      now: Exchange,
      response: PlainResponse,
      kind: 'replay' | 'problem' | 'failure',
    ): void {
      const answered = steps.answer(response, kind, now)
      steps.write(now, answered, steps.outside(now.outside, 'replaced'))
      steps.end(now, answered.body)
    }

    async function send(
      now: Exchange,
      { status, headers, body }: RenderedReply,
      outside: Readonly<Record<string, string>>,
      rest?: AsyncIterator<Uint8Array>,
    ): Promise<void> {
      const { res } = now
      const sent = steps.sent(headers, now)
      if (!res.headersSent) steps.write(now, { status, headers: sent, body: NO_BYTES }, outside)
      if (rest === undefined) return steps.end(now, body as Buffer)
      res.write(body)
      for (let next = await rest.next(); !next.done && !res.destroyed; next = await rest.next()) {
        res.write(next.value)
      }
      res.end()
    }

    function outsideOf(now: Exchange, when: 'first' | 'replaced', { removed }: RenderedReply) {
      const headers = Object.entries(steps.outside(now.outside, when))
      return Object.fromEntries(headers.filter(([name]) => !removed.includes(name)))
    }

    const server = createServer((req, res) => {
      exchange(req, res).catch(() => res.destroy())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      drain: steps.drain(engine),
      closeIdle: () => server.closeIdleConnections(),
      async close() {
        isClosed = true
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  }
}

/** The whole body, or as much of it as may be stored and the rest. */
async function collect(
  { body }: RenderedReply,
  piece: Steps['piece'],
  maxBytes: number,
  isClosed: () => boolean,
): Promise<{ readonly bytes: Buffer; readonly rest?: AsyncIterator<Uint8Array> }> {
  const rest = 'length' in body ? [body][Symbol.iterator]() : body[Symbol.asyncIterator]()
  const chunks: Uint8Array[] = []
  let size = 0
  if (maxBytes < 0 && !('length' in body)) {
    return { bytes: Buffer.alloc(0), rest: rest as AsyncIterator<Uint8Array> }
  }
  for (let next = await rest.next(); !next.done; next = await rest.next()) {
    chunks.push(piece(next.value))
    size += next.value.length
    if (!('length' in body) && (size > maxBytes || isClosed())) {
      return { bytes: Buffer.concat(chunks), rest: rest as AsyncIterator<Uint8Array> }
    }
  }
  return { bytes: Buffer.concat(chunks) }
}

const NO_BYTES = new Uint8Array()
