import { describe, expect, test } from 'vitest'
import { createEngine } from '../../src/engine/engine.ts'
import { deferred } from '../../src/time/deferred.ts'
import { post, response } from '../support/post.ts'
import { storeThat } from '../support/stores.ts'

const REFUSED = 'a refusal of'

test.each([
  [REFUSED, 400, 'whole', 'transaction', 'complete'],
  [REFUSED, 400, 'part', 'transaction', 'abandon'],
  [REFUSED, 400, 'part', 'lease', 'abandon'],
  [REFUSED, 400, 'unknown', 'transaction', 'abandon'],
  // Undoing it would leave the outcome unknown, and there may have been nothing wrong.
  [REFUSED, 400, 'unknown', 'lease', 'complete'],
  ['a success of', 201, 'part', 'transaction', 'complete'],
] as const)('%s (%i) what came of a request: %s, in %s mode: %s', async (...given) => {
  const [, status, arrived, mode, end] = given
  const store = storeThat({ mode, attempt: {} })
  let came: typeof arrived | 'whole' = 'whole'
  const request = { ...post('k-1'), arrived: () => came }
  const begun = await createEngine({ store }).begin(request)
  if (begun.kind !== 'run') throw new Error(`expected a run, got ${begun.kind}`)
  came = arrived
  expect(await begun.run.complete(response(status))).toEqual({ kind: 'send' })
  expect(store.calls).toEqual([end])
})

describe.each(['part', 'unknown'] as const)('a request of which came: %s', (came) => {
  const aborted = { code: 'ECONNABORTED', status: 400 }

  test('is not given to the function that chooses its fingerprint', async () => {
    const store = storeThat()
    const request = post('k-1', {
      arrived: () => came,
      fingerprintInput() {
        throw new Error('it was called')
      },
    })
    await expect(createEngine({ store }).begin(request)).rejects.toMatchObject(aborted)
    expect(store.claims).toEqual([])
  })

  // A bug: a function that waited before it read got what Node makes of a body that was cut off.
  // That was claimed, and the retry with the whole of it was refused as another request.
  test('is not claimed if it was cut off while that function waited', async () => {
    const store = storeThat()
    const [asked, tenant] = [deferred<void>(), deferred<void>()]
    let arrived: 'whole' | typeof came = 'whole'
    const request = post('k-1', {
      arrived: () => arrived,
      fingerprintInput() {
        asked.resolve()
        const value = tenant.promise.then(() => 'what had come')
        const body = { kind: 'chosen', value } as const
        return { method: 'POST', target: '/orders', contentType: undefined, body }
      },
    })
    const begun = createEngine({ store }).begin(request)
    const refused = expect(begun).rejects.toMatchObject(aborted)
    await asked.promise
    arrived = came
    tenant.resolve()
    await refused
    expect(store.claims).toEqual([])
  })
})
