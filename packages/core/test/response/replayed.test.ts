import { deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { HeaderChange, PlainResponse } from '../../src/contracts/stored-response.ts'
import { createEngine } from '../../src/engine/engine.ts'
import type { EngineOptions } from '../../src/engine/options.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import { post } from '../support/post.ts'

const TEXT = '{"id":"o-1","secret":"s"}'
const text = (body: Uint8Array) => new TextDecoder().decode(body)
const accepting = (codings: string) => ({ headers: { 'accept-encoding': codings } })

type Options = Partial<EngineOptions<never>>

/** An engine and a key with this response, and the replay that a client gets. */
async function kept(response: PlainResponse, options: Options = {}, method = 'POST') {
  const store = memoryStore()
  const engine = createEngine({ store, methods: [method], ...options } as EngineOptions<never>)
  const begun = await engine.begin(post('k', { method }))
  if (begun.kind !== 'run') throw new Error(begun.kind)
  const outcome = await begun.run.complete(response)
  const replay = async (differently: Parameters<typeof post>[1] = {}): Promise<PlainResponse> => {
    const again = await engine.begin(post('k', { ...differently, method }))
    if (again.kind === 'run') throw new Error('it ran again')
    return again.response
  }
  return { outcome, replay, store }
}

function coded(bytes: Uint8Array, coding = 'gzip', headers: readonly HeaderChange[] = []) {
  return { status: 201, headers: [['content-encoding', coding], ...headers] as const, body: bytes }
}

const lines = ({ headers }: PlainResponse, name: string) =>
  headers.filter(([other]) => other.toLowerCase() === name).map(([, value]) => value)

describe('a stored response', () => {
  test('is not copied for a client that accepts its coding', async () => {
    const bytes = gzipSync(TEXT)
    const { replay } = await kept(coded(bytes))
    expect((await replay()).body).toEqual(bytes)
    expect(lines(await replay(accepting('gzip')), 'content-encoding')).toEqual(['gzip'])
  })

  test('is unsealed before it is decoded', async () => {
    const seal = { current: 'k1', keys: { k1: new Uint8Array(32) } }
    const { replay } = await kept(coded(gzipSync(TEXT)), { seal })
    expect(text((await replay(accepting('identity'))).body)).toBe(TEXT)
  })

  test('that an earlier release stored decoded is replayed unchanged', async () => {
    const { replay } = await kept({
      status: 200,
      headers: [['vary', 'Accept-Encoding']],
      body: Buffer.from(TEXT),
    })
    for (const codings of ['gzip', 'identity']) {
      const again = await replay(accepting(codings))
      expect(text(again.body)).toBe(TEXT)
      expect(lines(again, 'vary')).toEqual(['Accept-Encoding'])
    }
  })

  test('adds Accept-Encoding to Vary once, unless Vary is *', async () => {
    for (const [vary, seen] of [
      [[], ['Accept-Encoding']],
      [['Accept'], ['Accept', 'Accept-Encoding']],
      [
        ['Accept', 'ACCEPT-ENCODING, Cookie'],
        ['Accept', 'ACCEPT-ENCODING, Cookie'],
      ],
      [['*'], ['*']],
    ] as const) {
      const headers = vary.map((value): HeaderChange => ['Vary', value])
      const { replay } = await kept(coded(gzipSync(TEXT), 'gzip', headers))
      expect(lines(await replay(accepting('identity')), 'vary')).toEqual(seen)
      expect(lines(await replay(accepting('gzip')), 'vary')).toEqual(vary)
    }
  })

  test('keeps a weak ETag as it is, and makes a strong one weak only when it is decoded', async () => {
    for (const [etag, decoded] of [
      ['"a"', 'W/"a"'],
      ['W/"a"', 'W/"a"'],
    ] as const) {
      const { replay } = await kept(coded(deflateSync(TEXT), 'deflate', [['ETag', etag]]))
      expect(lines(await replay(accepting('deflate')), 'etag')).toEqual([etag])
      expect(lines(await replay(accepting('identity')), 'etag')).toEqual([decoded])
    }
  })

  test('that is a range of a coded body is never decoded', async () => {
    const { replay } = await kept({ ...coded(gzipSync(TEXT)), status: 206 })
    expect((await replay(accepting('identity'))).body).toEqual(gzipSync(TEXT))
  })

  test('with two Content-Encoding lines is treated as having a list', async () => {
    const { replay } = await kept(coded(gzipSync(TEXT), 'gzip', [['Content-Encoding', 'br']]))
    const again = await replay(accepting('identity'))
    expect(lines(again, 'content-encoding')).toEqual(['gzip', 'br'])
  })

  test('has no framing, whatever replayHeader says', async () => {
    const headers = ['transfer-encoding', 'connection', 'keep-alive', 'trailer', 'content-length']
    const { replay } = await kept(
      { status: 201, headers: headers.map((name) => [name, '1']), body: Buffer.from('a') },
      { replayHeader: () => true },
    )
    expect((await replay()).headers).toEqual([['X-Idempotency-Replayed', 'true']])
  })

  test('to HEAD keeps its stated length', async () => {
    const head = {
      status: 200,
      headers: [['content-length', '25']] as const,
      body: Buffer.alloc(0),
    }
    const { replay } = await kept(head, {}, 'HEAD')
    expect(lines(await replay(), 'content-length')).toEqual(['25'])
  })

  test('keeps its reason phrase, and no header is mistaken for one', async () => {
    const made = { status: 201, headers: [['x-a', '1']] as const, body: Buffer.alloc(0) }
    const { replay } = await kept({ ...made, reason: 'Order Placed' })
    expect(await replay()).toMatchObject({
      reason: 'Order Placed',
      headers: [
        ['x-a', '1'],
        ['X-Idempotency-Replayed', 'true'],
      ],
    })
    const forged = { ...made, headers: [['oncekey-reason-phrase', 'Forged']] as const }
    expect((await (await kept(forged)).replay()).reason).toBeUndefined()
  })
})

describe('redact()', () => {
  const redact = (response: PlainResponse) => {
    const { secret: _, ...rest } = JSON.parse(text(response.body))
    return { ...response, body: Buffer.from(JSON.stringify(rest)) }
  }

  test('gets a coded body decoded, without headers that describe the coded bytes', async () => {
    const seen: PlainResponse[] = []
    const { outcome, replay } = await kept(
      coded(gzipSync(TEXT), 'gzip', [['repr-digest', 'sha-256=:aa:']]),
      {
        redact(response) {
          seen.push(response)
          return redact(response)
        },
      },
    )
    expect(outcome).toEqual({ kind: 'send' })
    expect(text(seen[0]?.body ?? new Uint8Array())).toBe(TEXT)
    expect(lines(seen[0] as PlainResponse, 'repr-digest')).toEqual([])
    const again = await replay(accepting('gzip'))
    expect(text(again.body)).toBe('{"id":"o-1"}')
    expect(lines(again, 'content-encoding')).toEqual([null])
  })

  test('cannot store a reason phrase that cannot be sent', async () => {
    const made = { status: 201, headers: [], body: Buffer.from(TEXT), reason: 'Order Placed' }
    const { outcome, store } = await kept(made, {
      redact: (response) => ({ ...response, reason: 'Order\r\nPlaced' }),
    })
    expect(outcome).toMatchObject({ kind: 'failure' })
    expect((await createEngine({ store }).begin(post('k'))).kind).toBe('run')
  })

  test('gets a body that cannot be decoded unchanged', async () => {
    const { outcome, replay } = await kept(coded(Buffer.from(TEXT), 'x-own'), { redact })
    expect(outcome).toEqual({ kind: 'send' })
    const again = await replay()
    expect([text(again.body), lines(again, 'content-encoding')]).toEqual([
      '{"id":"o-1"}',
      ['x-own'],
    ])
  })

  test('never gets more than maxResponseBytes: such a response is too large to store', async () => {
    const { outcome } = await kept(coded(gzipSync('a'.repeat(5000))), {
      maxResponseBytes: 1000,
      redact,
    })
    expect(outcome).toMatchObject({ kind: 'problem', code: 'response-too-large' })
  })
})

describe('redact() in lease mode', () => {
  test('never gets more than maxResponseBytes either: the response is recorded without its body', async () => {
    const store = memoryStore({ mode: 'lease' })
    const { outcome, replay } = await kept(coded(gzipSync('a'.repeat(5000))), {
      store: store as never,
      maxResponseBytes: 1000,
      redact: (response) => response,
    })
    expect(outcome).toEqual({ kind: 'send' })
    expect((await replay()).status).toBe(410)
  })
})

describe('a response returned by whenUnknown', () => {
  test('is replayed in a coding that each client accepts', async () => {
    const bytes = gzipSync(TEXT)
    for (const [codings, seen] of [
      ['gzip', bytes],
      ['identity', Buffer.from(TEXT)],
    ] as const) {
      const store = memoryStore({ mode: 'lease' })
      const lost = await createEngine({ store }).begin(post('k'))
      if (lost.kind !== 'run') throw new Error(lost.kind)
      await lost.run.abandon()
      const engine = createEngine({
        store,
        whenUnknown: () => ({ status: 200, headers: { 'content-encoding': 'gzip' }, body: bytes }),
      })
      const begun = await engine.begin(post('k', accepting(codings)))
      if (begun.kind === 'run') throw new Error('it ran')
      expect(Buffer.from(begun.response.body)).toEqual(seen)
    }
  })
})
