import { describeAdapter } from '@oncekey/conformance'
import { plainAdapter, rightSteps } from './broken-adapters/plain-adapter.ts'
import { testedStores } from './broken-adapters/tested-stores.ts'

// The broken adapters are derived from this one. Without this test, one could be rejected for
// another fault.
describeAdapter({ name: 'plain', serve: plainAdapter(() => rightSteps), stores: testedStores })
