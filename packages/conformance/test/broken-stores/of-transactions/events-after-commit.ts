import { brokenStore } from '../broken-store.ts'
import { turn } from '../plain-store.ts'

/** The other dual write: a crash between the two loses the event. */
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
    'events: come back as they were given',
    'events: are there by the hundreds',
    'events: stand in the order of completion, not of claims',
    'events: and the response are there together: at no instant one without the other',
  ],
})
