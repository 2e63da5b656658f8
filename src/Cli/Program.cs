using Patroni.Raft.Cli;
using Patroni.Raft.Cli.Parsing;

return await CommandLine.RunAsync(args, Terminal.Process, ProgramName.Current).ConfigureAwait(false);
