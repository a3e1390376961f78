import { describeAdapter } from '@oncekey/conformance'
import { plainAdapter, rightSteps } from './broken-adapters/plain-adapter.ts'
import { testedStores } from './broken-adapters/tested-stores.ts'

// What the broken adapters are broken from: without this, one could be rejected for another fault.
describeAdapter({ name: 'plain', serve: plainAdapter(() => rightSteps), stores: testedStores })
