import { expect, test } from 'vitest'
import { createEngine } from '../../src/engine/engine.ts'
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
  const request = { ...post('k-1'), arrived: () => arrived }
  const begun = await createEngine({ store }).begin(request)
  if (begun.kind !== 'run') throw new Error(`expected a run, got ${begun.kind}`)
  expect(await begun.run.complete(response(status))).toEqual({ kind: 'send' })
  expect(store.calls).toEqual([end])
})
