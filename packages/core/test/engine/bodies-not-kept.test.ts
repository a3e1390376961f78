import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { PlainResponse } from '../../src/contracts/stored-response.ts'
import { createEngine } from '../../src/engine/engine.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import { post, response } from '../support/post.ts'
import { problemOf, runOf } from './handler-runs.ts'
import { codeOf, runUnder } from './single-runs.ts'

const CARD = JSON.stringify({ id: 'o-1', cardNumber: '4242', items: 'x'.repeat(1_000) })

/** As in `docs/stores.md`: it reads the body that a success has. */
function redact(given: PlainResponse): PlainResponse {
  const { cardNumber: _, ...kept } = JSON.parse(Buffer.from(given.body).toString())
  return { ...given, body: Buffer.from(JSON.stringify(kept)) }
}

const asJson = response(201, CARD)
const asGzip = { ...asJson, headers: [['content-encoding', 'gzip']] as const, body: gzipSync(CARD) }

// A bug: redact() got the response without its body, threw, and so undid a run whose work was done:
// the outcome was unknown, and each retry ran the handler again.
describe('redact() is not asked for a body that is not kept', () => {
  test.each([
    ['that is over maxResponseBytes', asJson, 100],
    ['that is over maxResponseBytes once it is decoded', asGzip, 500],
  ])('of a response of lease mode %s', async (_, answer, maxResponseBytes) => {
    const store = memoryStore({ mode: 'lease' })
    const engine = createEngine({ store, maxResponseBytes, redact })
    expect(await (await runOf(engine)).complete(answer)).toEqual({ kind: 'send' })
    expect(await problemOf(engine)).toMatchObject({ code: 'result-gone' })
  })

  test('of a response that streams, of which the status alone is kept', async () => {
    const { run, completions } = await runUnder({}, { response: 'stream', redact })
    const head = { status: 201, headers: [['x-card', '4242']] as const, reason: 'Card 4242' }
    expect(await run.passThrough(head)).toEqual({ kind: 'send' })
    expect(completions.map(({ response }) => response)).toEqual([
      { status: 201, headers: [], body: null, seal: null },
    ])
  })

  test('of a response whose body is kept it is asked', async () => {
    const engine = createEngine({ store: memoryStore({ mode: 'lease' }), redact })
    expect(await (await runOf(engine)).complete(asJson)).toEqual({ kind: 'send' })
    const again = await engine.begin(post('k-1'))
    expect(again.kind === 'replay' && String(Buffer.from(again.response.body))).not.toMatch('4242')
  })
})

// A bug: the function threw because it got no body, and the client was told `option-failed` with
// `same-key`: it had the handler run again and again.
test('disposition() is not asked about a response in parts that is too large to be kept', async () => {
  const disposition = ({ body }: PlainResponse) =>
    'errors' in JSON.parse(Buffer.from(body).toString()) ? 'retry' : undefined
  const { run, calls } = await runUnder({}, { mode: 'lease', disposition })
  const outcome = await run.passThrough({ status: 200, headers: [] })
  expect([codeOf(outcome), calls]).toEqual(['response-too-large', ['abandon']])
})
