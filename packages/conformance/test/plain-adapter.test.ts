import { describeAdapter } from '@oncekey/conformance'
import { plainAdapter } from './broken-adapters/plain-adapter.ts'
import { rightSteps } from './broken-adapters/steps.ts'
import { testedStores } from './broken-adapters/tested-stores.ts'

// The broken adapters are derived from this one. Without this test, one could be rejected for
// another fault.
describeAdapter({ name: 'plain', serve: plainAdapter(() => rightSteps), stores: testedStores })
