import { describeStore } from '@oncekey/conformance'
import { OncekeyError } from '@oncekey/core'
import { plainFixture } from './broken-stores/plain-fixture.ts'
import { oneSession } from './one-session.ts'

// The broken stores are derived from this one. Without this test, one could be rejected for another
// fault.
for (const mode of ['transaction', 'lease'] as const) {
  describeStore({ name: `plain, ${mode} mode`, create: () => plainFixture(mode) })
}

describeStore({
  name: 'plain, without transactions',
  create() {
    const {
      write: _write,
      written: _written,
      store,
      ...fixture
    } = plainFixture('lease', (right) => ({
      ...right,
      handOut() {
        throw new OncekeyError('transaction-unsupported', 'There are no transactions.')
      },
    }))
    const capabilities = { ...store.capabilities, transactions: false }
    return { ...fixture, store: { ...store, capabilities } }
  },
})

describeStore({ name: 'plain, with one session', create: oneSession, timeoutMs: 10_000 })
