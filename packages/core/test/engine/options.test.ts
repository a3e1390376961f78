import { describe, expect, test } from 'vitest'
import { once } from '../../src/engine/once.ts'
import type { EngineOptions } from '../../src/engine/options.ts'
import { checkScopeOption, resolveOptions } from '../../src/engine/resolve-options.ts'
import { OptionsError } from '../../src/errors/errors.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'

const store = memoryStore()
const lease = memoryStore({ mode: 'lease' })
const resolved = (options: Partial<EngineOptions<never>> | Record<string, unknown> = {}) =>
  resolveOptions({ store, ...options } as EngineOptions<unknown>)
const messageOf = (construct: () => unknown): string => {
  try {
    construct()
  } catch (error) {
    expect(error).toBeInstanceOf(OptionsError)
    return (error as Error).message
  }
  return 'nothing was thrown'
}

describe('options', () => {
  test('have these defaults', () => {
    expect(resolved()).toEqual({
      store,
      namespace: 'http',
      methods: new Set(['POST', 'PATCH']),
      header: 'idempotency-key',
      headerName: 'Idempotency-Key',
      compares: 'request',
      required: true,
      strict: false,
      validateKey: undefined,
      authenticate: undefined,
      dispositionOf: undefined,
      headers: ['idempotency-key'],
      key: undefined,
      url: undefined,
      replayedHeaders: ['X-Idempotency-Replayed'],
      replayHeader: undefined,
      disposition: {},
      whenUnknown: 'retake',
      waitMs: 0,
      handlerTimeoutMs: 30_000,
      leaseMs: 60_000,
      maxResponseBytes: 1_048_576,
      response: 'buffer',
      seal: undefined,
      redact: undefined,
      eventSource: '/http',
      problemStatus: {},
      docsUrl: undefined,
    })
    expect(resolveOptions({ store: lease }).leaseMs).toBe(15_000)
    expect(resolved().validateKey).toBeUndefined()
  })

  test('treat undefined as the default', () => {
    const all = Object.keys(resolved()).filter((name) => name !== 'store')
    const names = [...all, 'replayedHeader']
    expect(resolved(Object.fromEntries(names.map((name) => [name, undefined])))).toMatchObject({
      waitMs: 0,
      required: true,
      replayedHeaders: ['X-Idempotency-Replayed'],
    })
  })

  test('keep the values they were given', () => {
    const whenUnknown = () => 'hold' as const
    expect(
      resolveOptions({
        store: lease,
        namespace: 'orders',
        methods: ['put', 'DELETE'],
        header: 'X-Request-Id',
        required: false,
        strict: true,
        replayedHeader: ['Idempotent-Replayed', 'X-Replayed'],
        disposition: { 402: 'commit' },
        whenUnknown,
        waitMs: 5,
        handlerTimeoutMs: 1,
        leaseMs: 30,
        maxResponseBytes: 1,
        response: 'stream',
        eventSource: 'https://api.example.com/orders',
        docsUrl: 'https://api.example.com/errors',
      }),
    ).toMatchObject({
      methods: new Set(['PUT', 'DELETE']),
      header: 'x-request-id',
      headerName: 'X-Request-Id',
      replayedHeaders: ['Idempotent-Replayed', 'X-Replayed'],
      disposition: { 402: 'commit' },
      whenUnknown,
      leaseMs: 30,
      eventSource: 'https://api.example.com/orders',
    })
  })

  test('may name no header that marks a replay', () => {
    expect(resolved({ replayedHeader: [] }).replayedHeaders).toEqual([])
  })
})

describe('invalid options are refused at construction with advice', () => {
  const storeMissing =
    'store is missing: write `store: postgresStore({ client: pool })` or `store: memoryStore()`.'

  test.each([
    ['no options at all', () => resolveOptions(undefined as never)],
    ['no store', () => resolveOptions({} as never)],
    ['a client in its place', () => resolved({ store: { query() {} } })],
    ['a store without capabilities', () => resolved({ store: { begin() {}, open() {} } })],
  ])('%s', (_, construct) => {
    expect(messageOf(construct)).toBe(storeMissing)
  })

  const words = (name: string, most: number) =>
    `${name} must be 1 to ${most} printable ASCII characters without spaces, not `
  const span = (name: string, least: number) =>
    `${name} must be a whole number of milliseconds from ${least} to 1_073_741_823, not `

  test.each<[Record<string, unknown>, string]>([
    [{ namespace: '' }, `${words('namespace', 64)}"".`],
    [{ namespace: 'a b' }, `${words('namespace', 64)}"a b".`],
    [{ namespace: 7 }, `${words('namespace', 64)}7.`],
    [{ namespace: 'n'.repeat(65) }, `${words('namespace', 64)}"${'n'.repeat(65)}".`],
    [
      { problemStatus: { 'in-progres': 503 } },
      'problemStatus: "in-progres" is not a problem code; write `{ \'in-progress\': 503 }`.',
    ],
    [
      { problemStatus: { 'in-progress': 100 } },
      "problemStatus['in-progress'] must be a final status whose responses have a body, such as 503, not 100.",
    ],
    [
      { problemStatus: { 'in-progress': 204 } },
      "problemStatus['in-progress'] must be a final status whose responses have a body, such as 503, not 204.",
    ],
    [{ compares: 'body' }, "compares must be 'request' or 'key', not \"body\"."],
    [{ eventSource: 'é' }, `${words('eventSource', 255)}"é".`],
    [{ methods: [] }, "methods must be a list of methods, such as ['POST'], not []."],
    [{ methods: 'POST' }, `methods must be a list of methods, such as ['POST'], not "POST".`],
    [{ methods: [1] }, "methods must be a list of methods, such as ['POST'], not [ 1 ]."],
    [{ methods: [''] }, "methods must be a list of methods, such as ['POST'], not [ '' ]."],
    [
      { header: 'Key:' },
      `header must be the name of a header, such as 'Idempotency-Key', not "Key:".`,
    ],
    [{ header: '' }, `header must be the name of a header, such as 'Idempotency-Key', not "".`],
    [
      { replayedHeader: ['X-Ok', 'X Not'] },
      `replayedHeader must be the name of a header, such as 'Idempotency-Key', not "X Not".`,
    ],
    [{ required: 'no' }, 'required must be true or false, not "no".'],
    [{ strict: 1 }, 'strict must be true or false, not 1.'],
    [{ validateKey: /uuid/ }, 'validateKey must be a function, not /uuid/.'],
    [{ replayHeader: ['etag'] }, "replayHeader must be a function, not [ 'etag' ]."],
    [{ redact: true }, 'redact must be a function, not true.'],
    [
      { disposition: { 99: 'commit' } },
      'disposition: "99" is not a final status; write `{ 402: \'commit\' }`.',
    ],
    [
      { disposition: { '4xx': 'commit' } },
      'disposition: "4xx" is not a final status; write `{ 402: \'commit\' }`.',
    ],
    [
      { disposition: { 402: 'keep' } },
      `disposition[402] must be 'commit' or 'refuse' or 'retry', not "keep".`,
    ],
    [
      { whenUnknown: 'retry' },
      `whenUnknown must be 'retake', 'hold' or a function that returns one of them or a response, not "retry".`,
    ],
    [{ waitMs: -1 }, `${span('waitMs', 0)}-1.`],
    [{ waitMs: '5' }, `${span('waitMs', 0)}"5".`],
    [{ handlerTimeoutMs: 0 }, `${span('handlerTimeoutMs', 1)}0.`],
    [{ handlerTimeoutMs: 2 ** 31 }, `${span('handlerTimeoutMs', 1)}2147483648.`],
    [{ handlerTimeoutMs: Number.POSITIVE_INFINITY }, `${span('handlerTimeoutMs', 1)}Infinity.`],
    [{ leaseMs: 29 }, `${span('leaseMs', 30)}29.`],
    [{ leaseMs: 30.5 }, `${span('leaseMs', 30)}30.5.`],
    [{ leaseMs: Number.NaN }, `${span('leaseMs', 30)}NaN.`],
    [{ maxResponseBytes: 0 }, 'maxResponseBytes must be a positive whole number, not 0.'],
    // A bug: a body of 256 MiB was stored, and each of its replays ended the process.
    [
      { maxResponseBytes: 134_217_729 },
      'maxResponseBytes must be 134217728 at most, not 134217729.',
    ],
    [{ maxResponseBytes: '1mb' }, 'maxResponseBytes must be a positive whole number, not "1mb".'],
    [{ response: 'sse' }, `response must be 'buffer' or 'stream', not "sse".`],
    [
      { seal: { current: 'a', keys: {} } },
      'seal.current is "a"; seal.keys has no key of that id: write `seal: { current: \'k1\', keys: { k1: key } }`.',
    ],
    ...[
      '/errors',
      'https://x.example/#errors',
      'https://x.example/ a',
      'https://x.example/\r\nX: y',
      7,
    ].map((docsUrl): [Record<string, unknown>, string] => [
      { docsUrl },
      `docsUrl must be an absolute URL without a fragment, such as 'https://api.example.com/docs/errors', not ${JSON.stringify(docsUrl)}.`,
    ]),
  ])('%j', (options, message) => {
    expect(messageOf(() => resolved(options))).toBe(message)
  })

  test('including a lease that a transaction store would not use', () => {
    expect(messageOf(() => resolveOptions({ store, leaseMs: 1 }))).toMatch(/^leaseMs must be/)
    expect(messageOf(() => resolveOptions({ store: lease, leaseMs: 1 }))).toMatch(/^leaseMs must/)
  })
})

describe('a scope option', () => {
  test.each([[undefined], [null], ['shared'], [7], [{}]])('cannot be %j', (scope) => {
    expect(messageOf(() => checkScopeOption(scope))).toBe(
      'scope is missing: write `scope: (req) => req.user.id` (who the keys belong to), ' +
        "or `scope: 'dangerously-shared'` if all callers may see one another's responses.",
    )
  })

  test("is a function or 'dangerously-shared'", () => {
    checkScopeOption(() => 'user-1')
    checkScopeOption('dangerously-shared')
  })
})

describe('once()', () => {
  test('requires a namespace, because the default is that of the HTTP routes', () => {
    expect(messageOf(() => once({ store } as never))).toBe(
      "namespace is missing: write `namespace: 'invoices'`, a constant of this use of once().",
    )
    expect(messageOf(() => once(undefined as never))).toMatch(/^namespace is missing/)
  })

  test('names its own options in errors', () => {
    expect(messageOf(() => once({ store, namespace: 'jobs', maxResultBytes: 0 }))).toBe(
      'maxResultBytes must be a positive whole number, not 0.',
    )
  })
})
