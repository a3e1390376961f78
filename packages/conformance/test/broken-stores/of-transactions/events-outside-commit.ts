import { brokenStore } from '../broken-store.ts'
import { turn } from '../plain-store.ts'

/** The dual write: events are published first, and the response is stored afterwards, or not. */
export const eventsOutsideCommit = brokenStore({
  fault: 'appends events before it stores the response',
  steps: () => ({
    async commit({ table, completion, owns, storeResponse, commitWrites }) {
      table.events.push(...completion.events)
      await turn()
      await turn()
      if (!owns()) return 'superseded'
      storeResponse()
      if (completion.writes === 'keep') commitWrites()
      return 'stored'
    },
  }),
  caughtBy: [
    'events: and the response become visible together',
    'events: are not committed with `undo`: only the response is stored',
    'events: are not committed again when a completion is sent again',
    'events: of an attempt that ended otherwise are never committed',
  ],
})
