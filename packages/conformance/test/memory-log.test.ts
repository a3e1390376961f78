import { describeLog } from '@oncekey/conformance'
import { memoryLog, memoryStore } from '@oncekey/core'
import { memoryLogFixture } from './broken-logs/memory-fixture.ts'

// The complete log that the broken ones are derived from.
describeLog({ name: 'memory', create: () => memoryLogFixture() })

// As a third party would start: no hooks, real time.
describeLog({
  name: 'memory, nothing but the log',
  create: () => ({ log: memoryLog(memoryStore()) }),
})
