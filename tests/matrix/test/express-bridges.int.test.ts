import { adapterBehaviours, runAdapterBehaviour } from '@oncekey/conformance'
import express from 'express'
import { describe, it } from 'vitest'
import { serveWith } from '../../../packages/express/test/serve-with-express.ts'
import { everyBridge } from '../src/bridge-stores.ts'

// What the adapter needs a store's transactions, events or records for; the rest of its contract
// does not come near to a library, and is tried on the drivers.
const groups = adapterBehaviours().map(({ title, behaviours }) => ({
  title,
  behaviours: behaviours.filter(({ needs }) => needs !== undefined),
}))

for (const { name, create } of everyBridge()) {
  describe(`adapter contract: Express 5, ${name}`, () => {
    for (const { title, behaviours } of groups) {
      describe.skipIf(behaviours.length === 0)(title, () => {
        for (const behaviour of behaviours) {
          it(behaviour.title, async ({ skip }) => {
            const skipped = await runAdapterBehaviour(behaviour, serveWith(express), create)
            if (skipped !== undefined) skip(skipped)
          })
        }
      })
    }
  })
}
