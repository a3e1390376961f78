import assert from 'node:assert/strict'
import type { HeaderChange } from '@oncekey/core'
import type { StoreBehaviour } from '../fixture/store-behaviour.ts'
import {
  completionOf,
  expectDecision,
  expectError,
  expectReplay,
  responseOf,
} from '../fixture/store-context.ts'
import { keysOf, nameOf } from './operator-keys.ts'

/** What an operator finishes a key with. */
export function answers(): readonly StoreBehaviour[] {
  return [
    {
      title: 'answer finishes an unknown key: the next request gets that response, byte for byte',
      needs: ['lease mode'],
      async run(context) {
        const { claim, retry, begin, otherRequest, run } = context
        const first = claim()
        await (await run(first)).abandon()
        const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)
        const response = responseOf('', { status: 202, body: bytes })
        assert.equal(await keysOf(context).answer(nameOf(first), response, anAct()), 'done')
        expectReplay(await begin(retry(first)), response)
        expectDecision(await begin(otherRequest(first)), 'mismatch')
      },
    },
    {
      title: 'after answer the attempt that comes back late changes nothing',
      needs: ['lease mode'],
      async run(context) {
        const { claim, retry, begin, run, lapse, shortLeaseMs } = context
        const first = claim({ leaseMs: shortLeaseMs })
        const attempt = await run(first)
        await lapse(first)
        const response = responseOf('by the operator')
        assert.equal(await keysOf(context).answer(nameOf(first), response, anAct()), 'done')
        const late = completionOf({ response: responseOf('too late') })
        assert.notEqual(await attempt.complete(late).catch(() => 'thrown'), 'stored')
        expectReplay(await begin(retry(first)), response)
      },
    },
    {
      title: 'answer refuses what could not be sent, and nothing happens',
      needs: ['lease mode'],
      async run(context) {
        const { claim, run } = context
        const first = claim()
        await (await run(first)).abandon()
        const headers = (...lines: HeaderChange[]) => ({ headers: lines })
        for (const unsendable of [
          headers(['content-type', 'text/plain\r\nx-injected: 1']),
          headers(['content-type', 'text/plain; charset=\u201cutf-8\u201d']),
          headers(['content type', 'text/plain']),
          { status: 101 },
          { status: 600 },
          { status: 200.5 },
        ]) {
          const response = { ...responseOf('by the operator'), ...unsendable }
          await expectError('options-invalid', () =>
            keysOf(context).answer(nameOf(first), response, anAct()),
          )
          assert.equal((await keysOf(context).get(nameOf(first)))?.state, 'unknown')
        }
      },
    },
  ]
}

export const anAct = () => ({ actor: 'conformance', note: 'to see what happens' })
