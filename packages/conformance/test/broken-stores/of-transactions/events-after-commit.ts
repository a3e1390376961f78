import { brokenStore } from '../broken-store.ts'
import { turn } from '../plain-store.ts'

/** The reverse dual write: a crash after the commit loses the event. */
export const eventsAfterCommit = brokenStore({
  fault: 'appends events after it has stored the response, each as it comes',
  steps: (right) => ({
    commit(parts) {
      const { table, completion } = parts
      const outcome = right.commit({ ...parts, completion: { ...completion, events: [] } })
      if (outcome === 'stored' && completion.writes === 'keep') {
        for (const event of completion.events) {
          turn().then(() => table.events.unshift({ ...event, data: event.data.toUpperCase() }))
        }
      }
      return outcome
    },
  }),
  caughtBy: [
    'events: are committed with the response, in the order given',
    'events: are stored unchanged',
    'events: can be hundreds',
    'events: stand in the order of completion, not of claims',
    'events: and the response become visible together',
  ],
})
