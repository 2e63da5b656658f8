using System.Runtime.InteropServices;

namespace Patroni.Raft.Agent.Watchdogs;

/// <summary>
/// An open watchdog device: the kernel's ioctl interface (Documentation/watchdog/watchdog-api.rst), or a named pipe for tests and drills, which
/// gets in words what the device gets as ioctl. Errors are sentences.
/// </summary>
internal sealed unsafe partial class WatchdogDevice : IDisposable
{
    private const int OWronly = 1, ONonBlock = 0x800, OCloexec = 0x80000, WOk = 2;
    private const nuint GetSupport = 0x80285700, KeepAliveCommand = 0x80045705, SetTimeoutCommand = 0xC0045706, GetTimeoutCommand = 0x80045707;
    // struct watchdog_info: options, firmware version, 32 characters of identity.
    private const int InfoSize = 40;
    private const uint CanSetTimeout = 0x80, HasMagicClose = 0x100;
    private readonly string path;
    private readonly bool isPipe;
    private readonly uint options;
    private int fd;

    private WatchdogDevice(string path, int fd, bool isPipe, uint options)
    {
        this.path = path;
        this.fd = fd;
        this.isPipe = isPipe;
        this.options = options;
    }

    /// <summary>Whether closing with the magic character stops it.</summary>
    public bool CanBeDisabled => (options & HasMagicClose) != 0;

    private bool CanSet => (options & CanSetTimeout) != 0;

    /// <summary>Whether a device is there that this user may write to.</summary>
    public static bool IsUsable(string path) => access(path, WOk) == 0;

    /// <summary>Opens it, which starts it: from now on it must be kept alive.</summary>
    public static (WatchdogDevice? Device, string? Error) Open(string path)
    {
        // Without waiting: nobody may be reading a pipe. Devices do not care.
        int fd = open(path, OWronly | OCloexec | ONonBlock, 0);
        if (fd < 0) return (null, $"{path} cannot be opened: {Problem()}");
        byte* info = stackalloc byte[InfoSize];
        if (ioctl(fd, GetSupport, info) == 0) return (new(path, fd, false, *(uint*)info), null);
        // Neither a device nor a pipe: a file would swallow everything and reset nothing.
        if (lseek(fd, 0, 1) < 0) return (new(path, fd, true, CanSetTimeout | HasMagicClose), null);
        _ = close(fd);
        return (null, $"{path} is not a watchdog device");
    }

    /// <summary>Sets the timeout in seconds and returns the one in force.</summary>
    public (int Seconds, string? Error) SetTimeout(int seconds)
    {
        if (isPipe) return (seconds, Write($"Ctimeout={seconds}\n"));
        int value = seconds;
        if (CanSet && ioctl(fd, SetTimeoutCommand, &value) < 0) return (0, $"the timeout of {path} cannot be set to {seconds} s: {Problem()}");
        return ioctl(fd, GetTimeoutCommand, &value) < 0 ? (0, $"the timeout of {path} cannot be read: {Problem()}") : (value, null);
    }

    /// <summary>Begins a new period.</summary>
    public string? KeepAlive()
    {
        int unused = 0;
        // Drivers without the ioctl take any character.
        return !isPipe && ioctl(fd, KeepAliveCommand, &unused) == 0 ? null : Write("1");
    }

    /// <summary>Stops it, where its driver permits, and closes.</summary>
    public string? Disable()
    {
        if (fd < 0) return null;
        string? problem = Write("V");
        Dispose();
        return problem;
    }

    /// <summary>Closes without stopping it: the machine is reset when nobody opens it again in time.</summary>
    public void Dispose()
    {
        if (fd >= 0) _ = close(fd);
        fd = -1;
    }

    private string? Write(string text)
    {
        byte* bytes = stackalloc byte[64];
        int length = System.Text.Encoding.ASCII.GetBytes(text, new Span<byte>(bytes, 64));
        return write(fd, bytes, (nuint)length) == length ? null : $"{path} cannot be written to: {Problem()}";
    }

    private static string Problem() => Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError());

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, uint mode);
    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int access(string path, int mode);
    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int fd);
    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int fd, byte* buffer, nuint count);
    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int fd, nuint command, void* argument);
    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(int fd, long offset, int whence);
}
