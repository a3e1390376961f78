import { brokenStore } from '../broken-store.ts'

/** A claim is sent twice, and the second copy is carried out first. */
export const lateCopiesWin = brokenStore({
  fault: 'gives a key to the late copy of a claim whose attempt has ended',
  modes: ['lease'],
  steps: () => ({ isOver: () => false, onUnheard: () => undefined }),
  caughtBy: [
    'a claim without an answer: whose attempt has released its key takes nothing when its first copy comes later',
    'a claim without an answer: whose attempt was abandoned takes nothing when its first copy comes later',
  ],
})
