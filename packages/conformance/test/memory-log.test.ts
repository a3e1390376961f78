import { describeLog } from '@oncekey/conformance'
import { memoryLog, memoryStore } from '@oncekey/core'
import { memoryLogFixture } from './broken-logs/memory-fixture.ts'

// The log that broken ones are made of, whole.
describeLog({ name: 'memory', create: () => memoryLogFixture() })

// As a third party would begin: no hooks, real time.
describeLog({
  name: 'memory, nothing but the log',
  create: () => ({ log: memoryLog(memoryStore()) }),
})
