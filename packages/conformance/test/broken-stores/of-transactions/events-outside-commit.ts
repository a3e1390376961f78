import { brokenStore } from '../broken-store.ts'
import { turn } from '../plain-store.ts'

/** The dual write: published first, stored afterwards, or not. */
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
    'events: and the response are there together: at no instant one without the other',
    'events: are not committed with `undo`: only the response is kept, whatever was given',
    'events: are not committed again when a completion is sent again',
    'events: of an attempt that has ended otherwise are never committed',
  ],
})
