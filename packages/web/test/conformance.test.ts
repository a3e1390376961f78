import { describeAdapter } from '@oncekey/conformance'
import { serveWithFetch } from './serve-with-fetch.ts'

describeAdapter({
  name: 'fetch',
  serve: serveWithFetch,
  lacks: {
    'removed headers': 'what a fetch handler returns says nothing of the headers set outside it',
  },
})
