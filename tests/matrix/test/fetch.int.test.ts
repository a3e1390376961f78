import { describeAdapter } from '@oncekey/conformance'
import { serveWithFetch } from '../../../packages/web/test/serve-with-fetch.ts'
import { everyStore } from '../src/stores.ts'

describeAdapter({
  name: 'fetch',
  serve: serveWithFetch,
  stores: everyStore({ sample: 'Postgres, pg behind PgBouncer' }),
  lacks: {
    'removed headers': 'what a fetch handler returns says nothing of the headers set outside it',
  },
})
