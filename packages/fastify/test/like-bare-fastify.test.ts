import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import serveStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import { describe, expect, test } from 'vitest'
import { bareApp, coveredApp, fastifyVersions, type Got, post } from './app.ts'
import { HANDLERS } from './handlers/all.ts'
import { type Answering, folder, seen } from './handlers/answering.ts'

/** An app whose plugins and hooks set headers, with every handler of the table. */
async function furnish(app: FastifyInstance, version: string): Promise<void> {
  if (version === 'Fastify 5') {
    await app.register(helmet)
    await app.register(cors, { origin: true, credentials: true })
    await app.register(serveStatic, { root: folder })
    await app.register(cookie)
  }
  app.decorateReply('made', function (this: { code(status: number): never }, id: number) {
    return (this.code(201) as { send(payload: unknown): unknown }).send({ made: id })
  } as never)
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('x-app', 'app').header('set-cookie', 'app=1')
  })
  for (const [name, { handler, route = {} }] of tableOf(version)) {
    app.post(path(name), { ...route }, handler)
  }
}

const path = (name: string) => `/${name.replaceAll(/\W/g, '-')}`

const tableOf = (version: string): [string, Answering][] =>
  Object.entries(HANDLERS).filter(([, { only5 }]) => !only5 || version === 'Fastify 5')

type Comparable = ReturnType<typeof comparable>

/**
 * Ignores framing: a response streamed by bare Fastify is complete once collected, and a 304 has no
 * length, whatever body it was given.
 */
function comparable({ status, reason, headers, bytes, trailers }: Got) {
  const { date: _date, 'transfer-encoding': chunked, 'content-length': length, ...rest } = headers
  const isFramed = status !== 304 && (chunked !== undefined || length !== undefined)
  const framed = isFramed ? 'some' : 'none'
  return { status, reason, headers: rest, trailers, framed, body: bytes.toString('latin1') }
}

const broken = () => 'broken' as const

describe.each(fastifyVersions)(
  'a first response equals that of bare %s, and a replay repeats it',
  (version, factory) => {
    for (const [name, { breaks, refused }] of tableOf(version)) {
      test(`a handler that ${name}`, async () => {
        const bare = bareApp({}, factory)
        const { app } = await coveredApp({
          factory,
          disposition: { 500: 'refuse', 502: 'refuse' },
          ...(breaks && { handlerTimeoutMs: 50 }),
        })
        await furnish(bare, version)
        await furnish(app, version)
        const sent = { key: 'k', body: { a: 1 }, headers: { origin: 'https://shop.example' } }
        const send = (to: FastifyInstance) => post(to, path(name), sent).catch(broken)
        const expected = await send(bare)
        const seenBare = seen.splice(0)
        const first = await send(app)
        expect(seen.splice(0)).toEqual(seenBare)
        if (breaks || expected === 'broken' || first === 'broken') {
          expect({ first, breaks }).toEqual({ first: expected, breaks: true })
          return
        }
        if (refused) expect(first).toMatchObject({ status: expected.status, body: expected.body })
        else expect(comparable(first)).toEqual(comparable(expected))

        const retry = (await send(app)) as Got
        expect(retry.replayed).toBe(true)
        if (first.headers['x-app']) expect(retry.headers['set-cookie']).toEqual(['app=1'])
        const { 'x-idempotency-replayed': _mark, ...headers } = retry.headers
        expect(
          lasting({ ...comparable(retry), headers: comparable({ ...retry, headers }).headers }),
        ).toEqual(lasting(comparable(refused ? first : expected)))
      })
    }
  },
)

/**
 * The parts of a response that a replay repeats: not framing, trailers or headers of one exchange.
 */
function lasting({ status, reason, headers, body }: Comparable) {
  const { trailer: _trailer, connection: _connection, 'set-cookie': _cookies, ...kept } = headers
  const names = Object.keys(kept).filter((name) => !name.startsWith('access-control-'))
  return {
    status,
    reason,
    headers: Object.fromEntries(names.map((name) => [name, kept[name]])),
    body,
  }
}

test('inject gets the same as a client', async () => {
  const { app } = await coveredApp()
  await furnish(app, 'Fastify 5')
  for (const name of ['returns an object', 'streams', 'sends a file', 'is empty with 204']) {
    const headers = { 'idempotency-key': name }
    const send = () => app.inject({ method: 'POST', url: path(name), headers })
    const first = await send()
    const again = await send()
    expect(again.headers['x-idempotency-replayed']).toBe('true')
    expect(again.rawPayload.equals(first.rawPayload)).toBe(true)
    expect(again.statusCode).toBe(first.statusCode)
  }
})
