import { STARTED } from './start-attempt.ts'

/**
 * Refuses every transaction except the one that began at 'in_started'. A handler that committed by
 * itself has released the lock, and what follows would be committed piece by piece. The start time
 * is compared because no statement of a handler can change it, whereas RESET ALL removes a setting.
 */
export const REFUSE_OTHER_TRANSACTIONS: string = `if ${STARTED} is distinct from in_started then
        raise exception 'the transaction of this attempt has ended' using errcode = 'OK001';
      end if;`

/**
 * The same, and on PGlite the mark as well: its clock counts only milliseconds, so two transactions
 * can begin at the same time. 'in_attempt' is the mark that the first statement set. It is null on
 * every other server, and on PGlite if the handler sent nothing that can end a transaction.
 */
export const REFUSE_OTHER_OR_UNMARKED_TRANSACTIONS: string = `if ${STARTED} is distinct from in_started
        or current_setting('oncekey.attempt', true) is distinct from in_attempt
          and in_attempt is not null
      then
        raise exception 'the transaction of this attempt has ended' using errcode = 'OK001';
      end if;`
