import { describeAdapter } from '@oncekey/conformance'
import { serveWith } from './serve-with-express.ts'
import { expressVersions } from './served.ts'

for (const [name, express] of expressVersions) describeAdapter({ name, serve: serveWith(express) })
