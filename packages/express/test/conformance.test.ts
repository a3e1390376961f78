import { describeAdapter } from '@oncekey/conformance'
import { serveWith } from './support/serve-with-express.ts'
import { expressVersions } from './support/served.ts'

for (const [name, express] of expressVersions) describeAdapter({ name, serve: serveWith(express) })
