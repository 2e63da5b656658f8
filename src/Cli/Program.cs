using Patroni.Raft.Cli;
using Patroni.Raft.Cli.Parsing;
using Patroni.Raft.Postgres.Guard;

// Before anything else: a guard loads nothing that an agent or a command needs.
if (args is [GuardProgram.Verb, ..]) return GuardProgram.Run(args.AsSpan(1));

return await CommandLine.RunAsync(args, Terminal.Process, ProgramName.Current).ConfigureAwait(false);
